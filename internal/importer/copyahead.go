package importer

import (
	"errors"
	"io"
)

// What of an upload may have arrived without being stored.
const (
	aheadPieces     = 3
	aheadPieceBytes = 128 << 10
)

// copyAhead copies src into dst as io.Copy does, and reads the next piece while
// it writes one: a body costs about as much to receive as to hash and store.
//
// It reads on the caller's goroutine and writes on one of its own, which has
// ended when it returns. The other way round a body that stands still would keep
// a goroutine behind, or be read by it when its request is over.
func copyAhead(dst io.Writer, src io.Reader) (int64, error) {
	c := &aheadCopy{
		full:  make(chan []byte, aheadPieces),
		empty: make(chan []byte, aheadPieces),
		ended: make(chan struct{}),
	}
	for range aheadPieces {
		c.empty <- nil // made when it is needed: most uploads are small
	}
	go c.write(dst)
	err := c.read(src)
	if c.err != nil { // it is of earlier bytes than what src says
		err = c.err
	}
	return c.written, err
}

// aheadCopy is a copy under way. Its channels have room for every piece, so that
// only waiting for one can block.
type aheadCopy struct {
	full  chan []byte // pieces to be written; closed when there are no more
	empty chan []byte // pieces to be filled

	ended   chan struct{} // closed when nothing more is written
	written int64         // this and err are the writing side's until then
	err     error
}

// write writes pieces until there are no more, or one could not be written.
func (c *aheadCopy) write(dst io.Writer) {
	defer close(c.ended)
	for piece := range c.full {
		n, err := dst.Write(piece)
		c.written += int64(n)
		if err != nil {
			c.err = err
			return
		}
		c.empty <- piece
	}
}

// read has src written until it ends or nothing more is written, and waits for
// the last piece.
func (c *aheadCopy) read(src io.Reader) error {
	defer func() { // also when src panics, as bodies may
		close(c.full)
		<-c.ended
	}()
	for {
		select {
		case <-c.ended:
			return nil
		case piece := <-c.empty:
			piece, err := c.fill(piece, src)
			c.full <- piece
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
}

// fill reads a piece: the pieces that a form comes in are too small to be stored
// one by one. It stops early when nothing more is written.
func (c *aheadCopy) fill(piece []byte, src io.Reader) ([]byte, error) {
	if piece == nil {
		piece = make([]byte, aheadPieceBytes)
	}
	n := 0
	for n < aheadPieceBytes {
		select {
		case <-c.ended:
			return piece[:n], nil
		default:
		}
		m, err := src.Read(piece[n:aheadPieceBytes])
		n += m
		if err != nil {
			return piece[:n], err
		}
	}
	return piece[:n], nil
}
