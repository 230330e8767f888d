"""Tables for the pages."""

import html


def html_table(heads: list[str], rows: list[list[str]]) -> str:
    """An HTML table; text is escaped."""

    def cell(text, tag):
        return f"<{tag}>{html.escape(str(text))}</{tag}>"

    # an empty head names nothing
    def line(cells, tag):
        return "<tr>" + "".join(cell(c, tag if c else "td") for c in cells) + "</tr>"

    return "<table>" + line(heads, "th") + "".join(line(row, "td") for row in rows) + "</table>"
