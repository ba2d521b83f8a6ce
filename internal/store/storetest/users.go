package storetest

import (
	"errors"
	"strings"
	"time"

	"tallyman/internal/store"
)

func newUser(name string) store.User {
	return store.User{ID: "usr_" + name, Name: name, Role: "admin", Password: "$2a$10$" + name, CreatedAt: start}
}

// addUser stores a user and returns it as it is to be read.
func (w *world) addUser(ws store.WS, u store.User) store.User {
	w.Helper()
	w.ok(w.s.CreateUser(w.ctx(), ws, u))
	u.WS = ws
	return u
}

func (w *world) users(ws store.WS) []store.User {
	w.Helper()
	list, err := w.s.Users(w.ctx(), ws)
	w.ok(err)
	return list
}

var userTrials = []trial{
	{"user/round trip, by name", func(w *world) {
		w.same("none", w.users(w.ws), []store.User(nil))
		ended := newUser("zoë")
		ended.Password, ended.DisabledAt = "", ptr(after(time.Hour))
		zoe := w.addUser(w.ws, ended)
		jo := w.addUser(w.ws, newUser("jo"))
		w.same("users", w.users(w.ws), []store.User{jo, zoe})
		for _, want := range []store.User{jo, zoe} {
			got, err := w.s.User(w.ctx(), w.ws, want.Name)
			w.ok(err)
			w.same("user", got, want)
		}
	}},
	{"user/names are a workspace's own, byte by byte", func(w *world) {
		for _, ws := range []store.WS{w.ws, w.other} {
			for _, name := range bytewise {
				want := w.addUser(ws, newUser(name))
				got, err := w.s.User(w.ctx(), ws, name)
				w.ok(err)
				w.same("user", got, want)
			}
		}
	}},
	{"user/taken and unknown", func(w *world) {
		jo := w.addUser(w.ws, newUser("jo"))
		sameName, sameID := newUser("x"), newUser("y")
		sameName.Name, sameID.ID = jo.Name, jo.ID
		w.want(w.s.CreateUser(w.ctx(), w.ws, sameName), store.ErrExists)
		w.want(w.s.CreateUser(w.ctx(), w.ws, sameID), store.ErrExists)
		w.want(w.s.UpdateUser(w.ctx(), w.ws, newUser("x"), newUser("x")), store.ErrNotFound)
		_, err := w.s.User(w.ctx(), w.ws, "Jo")
		w.want(err, store.ErrNotFound)
		w.same("users", w.users(w.ws), []store.User{jo})
	}},
	{"user/update stores what may change and nothing else", func(w *world) {
		want := w.addUser(w.ws, newUser("jo"))
		other := w.addUser(w.ws, newUser("kim"))
		changed := store.User{ID: want.ID, WS: w.other, Name: "x", Role: "reader", Password: "new", CreatedAt: after(time.Hour), DisabledAt: ptr(after(time.Minute))}
		w.ok(w.s.UpdateUser(w.ctx(), w.ws, want, changed))
		want.Role, want.Password, want.DisabledAt = changed.Role, changed.Password, changed.DisabledAt
		w.same("users", w.users(w.ws), []store.User{want, other})
		again := want
		again.DisabledAt = nil
		w.ok(w.s.UpdateUser(w.ctx(), w.ws, want, again))
		w.same("let in again", w.users(w.ws), []store.User{again, other})
	}},
	{"user/an update of what has changed meanwhile changes nothing", func(w *world) {
		read := w.addUser(w.ws, newUser("jo"))
		for what, meanwhile := range map[string]func(*store.User){
			"role":     func(u *store.User) { u.Role = "reader" },
			"password": func(u *store.User) { u.Password = "other" },
			"disabled": func(u *store.User) { u.DisabledAt = ptr(after(time.Minute)) },
			"later":    func(u *store.User) { u.DisabledAt = ptr(after(time.Hour)) },
		} {
			now := read
			meanwhile(&now)
			w.ok(w.s.UpdateUser(w.ctx(), w.ws, read, now))
			mine := read
			mine.Role, mine.Password = "importer", "mine"
			w.want(w.s.UpdateUser(w.ctx(), w.ws, read, mine), store.ErrRetry)
			w.same(what, w.users(w.ws), []store.User{now})
			w.ok(w.s.UpdateUser(w.ctx(), w.ws, now, read))
		}
	}},
	{"user/of those who change a user at once, each sees what the others did", func(w *world) {
		w.addUser(w.ws, newUser("jo"))
		const writers, rounds = 4, 5
		errs := make(chan error, writers)
		for range writers {
			go func() { errs <- w.appendToPassword("jo", rounds) }()
		}
		for range writers {
			w.ok(<-errs)
		}
		w.same("password", w.users(w.ws)[0].Password, newUser("jo").Password+strings.Repeat("x", writers*rounds))
	}},
}

// appendToPassword changes what a user has by one letter, again and again.
func (w *world) appendToPassword(name string, rounds int) error {
	for done := 0; done < rounds; {
		was, err := w.s.User(w.ctx(), w.ws, name)
		if err != nil {
			return err
		}
		u := was
		u.Password += "x"
		err = w.s.UpdateUser(w.ctx(), w.ws, was, u)
		if err == nil {
			done++
		} else if !errors.Is(err, store.ErrRetry) {
			return err
		}
	}
	return nil
}
