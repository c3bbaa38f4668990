"""Whatever a user does, selflift asks no other machine for anything; the Hub is asked when named.

The whole of it runs in fresh processes in which Python's sockets are watched from the start, those
of every process that they start in turn included.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tests import network

ROOT = Path(__file__).parents[1]
COMMANDS = [
    "train experiment=smoke trainer.progress=false output_dir=run",
    "eval checkpoint=run resamples=100",
    "prepare input=video output=mine.h5 skeleton=h36m_17",
    "predict input=video output=lifted.npz render=[lifted.html,lifted.png] keypoints.fps=25",
]
# All in one process, which saves the imports; each command is called as its console script does.
PATH_OF_A_USER = """
import sys
import numpy as np
import selflift
from selflift.cli.main import main

lifted = selflift.load("cmu17")(np.random.default_rng(0).uniform(100, 900, (3, 17, 2)))
assert lifted.lifted.all()
for line in sys.argv[1:]:
    sys.argv = ["selflift", *line.split()]
    main()
"""
ATTEMPTS = {
    "a connection": "socket.socket().connect(('192.0.2.1', 80))",
    "one that returns its error": "socket.socket().connect_ex(('192.0.2.1', 80))",
    "one of IPv6": "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
    "a name": "socket.create_connection(('example.org', 80))",
    "a page": "urllib.request.urlopen('https://example.org')",
    "a datagram": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 53))",
    "an address's name": "socket.getnameinfo(('192.0.2.1', 80), 0)",
    "a process of its own": "subprocess.run([sys.executable, '-c', 'import urllib.request as r\\n"
    'r.urlopen("http://192.0.2.1")\'])',
}
HERE = """
server = socket.create_server(("localhost", 0))
socket.create_connection(server.getsockname()).sendall(b"kept")
one, other = socket.socketpair()
one.send(b"kept")
socket.getaddrinfo("::1", 80)
socket.gethostbyname("localhost")
"""
IMPORTS = "import socket, subprocess, sys, urllib.request\n"


def watched(folder: Path, code: str, *arguments: str) -> tuple[int, str, list[str]]:
    """Run code in a fresh, watched process: its exit status, its words, what it attempted."""
    watch, noted = folder / "watch", folder / "attempts.txt"
    watch.mkdir()
    # Python runs a module of this name at its start, in every process with this environment.
    note = f"lambda line: open({str(noted)!r}, 'a').write(line + '\\n')"
    source = Path(network.__file__).read_text(encoding="utf-8")
    (watch / "sitecustomize.py").write_text(f"{source}\n\nforbid({note})\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "SELFLIFT_DATA"}
    environment["PYTHONPATH"] = os.pathsep.join([str(watch), str(ROOT / "src")])
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    lines = noted.read_text().splitlines() if noted.exists() else []
    return done.returncode, done.stdout + done.stderr, lines


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_an_attempt_is_noted_even_if_nobody_says_so(tmp_path: Path, attempt: str) -> None:
    hidden = f"{IMPORTS}try:\n    {attempt}\nexcept OSError:\n    pass\n"
    status, said, attempts = watched(tmp_path, hidden)
    assert status == 0, said
    assert len(attempts) == 1 and re.search(r"192\.0\.2\.1|2001:db8|example\.org", attempts[0])


def test_what_stays_on_this_machine_is_not_noted(tmp_path: Path) -> None:
    assert watched(tmp_path, IMPORTS + HERE) == (0, "", [])


class Fetched(HTMLParser):
    """What a browser would fetch for a page, and the text of its scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.policies: list[str] = []
        self.code = ""
        self.inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        told = {name: value or "" for name, value in attrs}
        names = {"src", "srcset", "poster", "data", "background", "action", "formaction", "ping"}
        # A link that somebody follows fetches nothing before; all others may.
        names |= set() if tag == "a" else {"href", "xlink:href"}
        self.addresses += [told[name] for name in names & set(told)]
        self.code += told.get("style", "") + "\n"
        if told.get("http-equiv", "").lower() == "content-security-policy":
            self.policies.append(told["content"])

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside in ("script", "style"):
            self.code += data


FETCHES = re.compile(
    r"\b(fetch|importScripts|import)\s*\(|\bimport\s+[\w{*\"']|@import|\burl\(\s*[\"']?(?!#|data:)"
    r"|XMLHttpRequest|WebSocket|EventSource|sendBeacon|serviceWorker|new\s+(Image|Worker)\b"
)


def assert_offline(page: Path) -> None:
    found = Fetched(page.read_text(encoding="utf-8"))
    assert all(a.startswith(("#", "data:")) for a in found.addresses), found.addresses
    assert (hit := FETCHES.search(found.code)) is None, hit
    (policy,) = found.policies
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";") if rule.strip())
    assert rules["default-src"] == "'none'", policy
    # Hashes and what lies in the page itself, but no host and no scheme that reaches one.
    sources = " ".join(rules.values()).split()
    assert all(re.fullmatch(r"data:|'(none|sha256-.+|unsafe-inline)'", s) for s in sources), policy


@pytest.mark.parametrize(
    "fragment",
    [
        "<script src='https://example.org/a.js'></script>", "<img src=//example.org/a.png>",
        "<link rel=stylesheet href=a.css>", "<style>@import 'a.css';</style>",
        "<style>p {background: url(https://example.org/a.png)}</style>",
        "<script>fetch ('a')</script>", "<script>import x from 'a'</script>",
        "<svg><use href='https://example.org/a.svg#b' /></svg>", "<p style='content: url(a)'>",
    ],
)  # fmt: skip
def test_a_page_that_fetches_something_would_be_seen(tmp_path: Path, fragment: str) -> None:
    page = tmp_path / "page.html"
    policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">"
    page.write_text(f"<html>{policy}<a href='https://example.org'>a link</a></html>")
    assert_offline(page)
    page.write_text(f"<html>{policy}{fragment}</html>")
    with pytest.raises(AssertionError):
        assert_offline(page)


def test_nothing_that_a_user_does_leaves_the_machine(tmp_path: Path) -> None:
    (tmp_path / "video").mkdir()
    for frame in range(5):
        joints = np.random.default_rng(frame).uniform(100, 900, (25, 3)).clip(max=[1000, 1000, 1])
        person = {"people": [{"pose_keypoints_2d": joints.ravel().tolist()}]}
        (tmp_path / f"video/me_{frame:012d}_keypoints.json").write_text(json.dumps(person))
    status, said, attempts = watched(tmp_path, PATH_OF_A_USER, *COMMANDS)
    assert attempts == [] and status == 0, said
    assert list(tmp_path.glob("run/**/events.out.tfevents.*")), "TensorBoard's files"
    pages = sorted(tmp_path.glob("**/*.html"))
    assert {page.name for page in pages} >= {"lifted.html", "index.html"}
    for page in pages:
        assert_offline(page)
    assert (tmp_path / "lifted.npz").is_file() and (tmp_path / "mine.h5").is_file()
