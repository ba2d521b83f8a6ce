"""Does in LibreOffice what a person does with a file of failed rows: opens it,
sorts it, corrects cells, deletes a column, and saves it as CSV.

It reads a list of tasks as JSON from standard input, works them off in one
headless LibreOffice, and prints what it did. A task is

    open, save    paths of the CSV files; the one opened is UTF-8 with commas
    columns       standard, or text: every column is opened as text
    language      the locale of a person's LibreOffice: en-US or de-DE
    delimiter     of the file that is saved
    encoding      of the file that is saved: utf-8 or windows-1252
    sort          heading of the column by which the rows are sorted, descending
    delete        headings of the columns that are deleted
    set           [{"find": {heading: text}, "heading": ..., "text": ...}]: the cell
                  of the row that shows these texts is given another, as if typed

What does not belong here: what is to be corrected, and whether it was.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import uno
from com.sun.star.beans import PropertyValue
from com.sun.star.connection import NoConnectException
from com.sun.star.table import TableSortField

# What LibreOffice calls encodings and languages in the options of its CSV filter.
ENCODINGS = {"utf-8": "76", "windows-1252": "1"}
LANGUAGES = {"en-US": "1033", "de-DE": "1031"}
PATIENCE = 120  # seconds until LibreOffice must answer


def prop(name, value):
    p = PropertyValue()
    p.Name, p.Value = name, value
    return p


class Office:
    """A headless LibreOffice with a profile of its own."""

    def __enter__(self):
        self.profile = tempfile.mkdtemp(prefix="tallyman-libreoffice-")
        pipe = "tallyman" + str(os.getpid())
        self.process = subprocess.Popen(
            ["soffice", "--headless", "--norestore", "--nologo", "-env:UserInstallation=file://" + self.profile,
             "--accept=pipe,name=" + pipe + ";urp;"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.desktop = self.connect("uno:pipe,name=" + pipe + ";urp;StarOffice.ComponentContext")
        return self.desktop

    def connect(self, url):
        local = uno.getComponentContext()
        resolver = local.ServiceManager.createInstanceWithContext("com.sun.star.bridge.UnoUrlResolver", local)
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                context = resolver.resolve(url)
                return context.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", context)
            except NoConnectException:
                if time.monotonic() > give_up or self.process.poll() is not None:
                    raise
                time.sleep(0.2)

    def __exit__(self, *_):
        try:
            self.desktop.terminate()
        except Exception:  # the connection ends with the process
            pass
        self.process.wait(PATIENCE)
        shutil.rmtree(self.profile, ignore_errors=True)


def open_options(task):
    """The choices of the dialog that opens a CSV file."""
    formats = ""
    if task["columns"] == "text":
        formats = "/".join("%d/2" % i for i in range(1, 200))
    return ",".join(["44", "34", ENCODINGS["utf-8"], "1", formats, LANGUAGES[task["language"]],
                     "false", "false"])


def save_options(task):
    """The choices of the dialog that saves one, cells as they are shown."""
    return ",".join([str(ord(task["delimiter"])), "34", ENCODINGS[task["encoding"]], "1", "", LANGUAGES[task["language"]], "false", "true"])


class Table:
    """The cells of the sheet that are in use, the first row being the header."""

    def __init__(self, document):
        self.sheet = document.Sheets.getByIndex(0)
        cursor = self.sheet.createCursor()
        cursor.gotoEndOfUsedArea(False)
        self.last_row = cursor.RangeAddress.EndRow

    def headings(self):
        cursor = self.sheet.createCursor()
        cursor.gotoEndOfUsedArea(False)
        return [self.sheet.getCellByPosition(i, 0).String.lstrip("\ufeff") for i in range(cursor.RangeAddress.EndColumn + 1)]

    def column(self, heading):
        return self.headings().index(heading)

    def cell(self, heading, row):
        return self.sheet.getCellByPosition(self.column(heading), row)

    def sort(self, heading):
        field = TableSortField()
        field.Field, field.IsAscending = self.column(heading), False
        rows = self.sheet.getCellRangeByPosition(0, 0, len(self.headings()) - 1, self.last_row)
        fields = uno.Any("[]com.sun.star.table.TableSortField", (field,))
        rows.sort((prop("ContainsHeader", True), prop("SortFields", fields)))

    def delete(self, heading):
        self.sheet.Columns.removeByIndex(self.column(heading), 1)

    def type(self, find, heading, text, as_text):
        rows = [r for r in range(1, self.last_row + 1) if all(self.cell(h, r).String == t for h, t in find.items())]
        if len(rows) != 1:
            raise SystemExit("%d rows show %s" % (len(rows), find))
        cell = self.cell(heading, rows[0])
        if as_text:
            cell.String = text
        else:
            cell.Formula = text


def work(desktop, task):
    document = desktop.loadComponentFromURL(uno.systemPathToFileUrl(task["open"]), "_blank", 0, (
        prop("Hidden", True), prop("FilterName", "Text - txt - csv (StarCalc)"), prop("FilterOptions", open_options(task))))
    table = Table(document)
    table.sort(task["sort"])
    for change in task["set"]:
        table.type(change["find"], change["heading"], change["text"], task["columns"] == "text")
    for heading in task["delete"]:
        table.delete(heading)
    document.storeToURL(uno.systemPathToFileUrl(task["save"]), (
        prop("FilterName", "Text - txt - csv (StarCalc)"), prop("FilterOptions", save_options(task))))
    document.close(True)
    print("%s: %d rows sorted by %s, %d cells corrected, %s deleted, saved in %s"
          % (os.path.basename(task["save"]), table.last_row, task["sort"], len(task["set"]), ", ".join(task["delete"]) or "nothing", task["encoding"]))


def main():
    tasks = json.load(sys.stdin)
    with Office() as desktop:
        for task in tasks:
            work(desktop, task)


main()
