from html.parser import HTMLParser

import pyarrow as pa
import test_account

from wanqu import html

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u202e\x1b[2J\0"
ALLOWED = {"div", "style", "table", "thead", "tbody", "tr", "th", "td", "br", "small", "span", "details", "summary"}


class Seen(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_nothing_that_is_shown_is_read_as_html() -> None:
    table = pa.table({HOSTILE: [HOSTILE, None], "n": [1, 2]})
    missing = {"code": "limit", "message": HOSTILE, "rule": HOSTILE}
    account = test_account.read(
        test_account.outcome(HOSTILE, test_account.release("HK", policies=[HOSTILE], auditDigest=HOSTILE)),
        test_account.outcome("MO", missing=missing),
    )
    seen = Seen(html.page(table, 2, account=account, marks=[False, True]))
    assert seen.tags <= ALLOWED, seen.tags
    assert seen.attributes <= {"class", "title", "role"}, seen.attributes
    assert seen.text.count("<script>alert(1)</script>") >= 4
    for unseen in "\u202e\x1b\0":
        assert unseen not in seen.text
    assert "\\u{202e}\\u{1b}[2J\\u{0}" in seen.text


def test_values_that_may_be_withheld_and_rows_that_may_lack_a_part_are_shown_as_such() -> None:
    table = pa.table({"city": ["a", "b", "c"], "n": [1, None, None]})
    page = html.page(table, 3, account=test_account.read(rowsLacking=1, mayLack=True), marks=[False, True, False])
    rows = page.split("<tr")[2:5]
    assert "wanqu-lacks" not in rows[0]
    assert ">1<" in rows[0]
    assert "wanqu-lacks" in rows[1]
    assert "NULL (may be withheld)" in rows[1]
    assert "may lack a part</td>" in rows[1]
    assert ">NULL<" in rows[2]
    assert "wanqu-lacks" not in rows[2]
    assert "1 of 24 rows may lack a jurisdiction&#x27;s part" in page


def test_rows_that_are_not_shown_are_counted() -> None:
    table = pa.table({"n": range(3)})
    assert "3 of 70 rows" in html.page(table, 70)
    assert ">3 rows<" in html.page(table, 3)
    assert ">1 row<" in html.page(table.slice(0, 1), 1)
    long = html.page(pa.table({"s": ["x" * 5000]}), 1)
    assert "x" * 200 + "…" in long
    assert len(long) < 5000
    assert ">0 rows<" in html.page(table.slice(0, 0), 0)
