"""`tidegate audit` on real files."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

from tidegate.commands import DONE, FAILED, MISUSED
from tidegate.commands.audit import audit
from tidegate.node.audit_log import AuditLog

CONFIG = """\
node: {{id: a, region: eu, data_dir: {folder}}}
regions: [{{id: eu}}]
services: [{{id: api, endpoints: [{{region: eu, address: "10.0.0.1:80"}}]}}]
routes: [{{id: all, service: api}}]
"""


def ask(folder: Path, *, verify: bool = False, as_json: bool = False) -> tuple[int, str, str]:
    file = folder / "tidegate.yaml"
    file.write_text(CONFIG.format(folder=folder))
    out, err = io.StringIO(), io.StringIO()
    code = audit(file, verify=verify, as_json=as_json, environ={}, out=out, err=err)
    return code, out.getvalue(), err.getvalue()


def write(folder: Path) -> None:
    async def run() -> None:
        log = AuditLog(folder / "audit", node_id="a", wall=lambda: 1.8e9, loop=asyncio.get_running_loop())
        log.write({"kind": "denied", "route": "p", "data_types": ["profile", "notes"], "rule": "profile"})
        log.close()

    asyncio.run(run())


def test_records_are_printed_one_a_line(tmp_path: Path) -> None:
    write(tmp_path)
    code, out, _ = ask(tmp_path)
    assert (code, out) == (DONE, "1800000000.000 a kind=denied route=p data_types=profile,notes rule=profile\n")


def test_what_was_decided_is_printed_with_who_and_why_and_no_text_ends_a_word_or_a_line(tmp_path: Path) -> None:
    async def run() -> None:
        log = AuditLog(tmp_path / "audit", node_id="a", wall=lambda: 1.8e9, loop=asyncio.get_running_loop())
        said = {"action": "drain", "target": "region/eu", "author": "ann", "reason": "new disks\nat=0", "epoch": None}
        log.write({"kind": "decision", "decision": "a-1", **said, "outcome": "begun", "detail": ""})
        log.close()

    asyncio.run(run())
    _, out, _ = ask(tmp_path)
    assert out == (
        "1800000000.000 a kind=decision action=drain target=region/eu author=ann "
        'reason="new disks\\nat=0" outcome=begun decision=a-1\n'
    )


def test_json_has_everything(tmp_path: Path) -> None:
    write(tmp_path)
    code, out, _ = ask(tmp_path, as_json=True)
    document = json.loads(out)
    assert code == DONE
    assert (document["segments"], document["faults"]) == (1, [])
    assert document["records"][0]["data_types"] == ["profile", "notes"]


def test_a_sound_log_is_verified_and_a_changed_one_is_not(tmp_path: Path) -> None:
    assert ask(tmp_path, verify=True)[:2] == (DONE, "0 records in 0 segments, as it was written\n")
    write(tmp_path)
    assert ask(tmp_path, verify=True)[:2] == (DONE, "1 records in 1 segments, as it was written\n")
    (path,) = (tmp_path / "audit").glob("*.log")
    path.write_bytes(path.read_bytes().replace(b"profile", b"catalog"))
    code, out, err = ask(tmp_path, verify=True)
    assert (code, "not as it was written" in out) == (FAILED, True)
    assert "line 2 is not what was written" in err


def test_without_a_configuration_it_says_so(tmp_path: Path) -> None:
    out, err = io.StringIO(), io.StringIO()
    code = audit(tmp_path / "none.yaml", verify=False, as_json=False, environ={}, out=out, err=err)
    assert code == MISUSED
    assert "cannot be read" in err.getvalue()
