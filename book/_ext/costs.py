"""What the published records cost: a table that is made from the records themselves."""

import html
import json
from pathlib import Path

from provenance import table
from sphinx.util.docutils import SphinxDirective


def hours(record: dict) -> float:
    """How long the training of a record took; 0 where nothing was trained or the record does not say."""
    return (record.get("seconds_train") or 60 * (record.get("minutes") or 0)) / 3600


class Costs(SphinxDirective):
    """For each folder of records: how many hold a time of training, the hours, the longest run, the machines."""

    def run(self):
        top = Path(self.env.srcdir, "data", "runs")
        rows, whole = [], 0.0
        for folder in sorted({path.parent for path in top.rglob("*.json")} - {top}):
            records = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
            records = [record for record in records if hours(record)]
            if not records:
                continue
            each = [hours(record) for record in records]
            whole += sum(each)
            machines = {r["provenance"]["processor"] for r in records}
            machines |= {r["provenance"].get("gpu", "none") for r in records} - {"none"}
            name, used = html.escape(folder.relative_to(top).as_posix()), html.escape("; ".join(sorted(machines)))
            rows.append([f"<code>{name}</code>", f"{len(records)}", f"{sum(each):.1f}", f"{max(each):.1f}", used])
        rows.append(["all", "", f"{whole:.1f}", "", ""])
        return table(("records of", "how many", "hours of training", "the longest", "on"), rows)


def setup(app):
    app.add_directive("costs", Costs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
