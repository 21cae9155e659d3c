"""Which requests the guard lets through."""

import pytest
from starlette.testclient import TestClient

from fullseg.annotator import security
from fullseg.annotator.security import Guard
from fullseg.annotator.server import make_app
from fullseg.annotator.workspace import Workspace

ACTION = {"revision": 0, "action": {"kind": "fill", "filled": True}}


def client_of(workspace: Workspace, base: str = "http://127.0.0.1:8765", **options: object) -> TestClient:
    hosts = options.pop("hosts", security.LOOPBACK)
    token = options.pop("token", None)
    app = Guard(make_app(workspace), hosts=hosts, token=token)  # type: ignore[arg-type]
    return TestClient(app, base_url=base)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8765", "", "localhost@evil.example"])
def test_other_host_names_are_refused(workspace: Workspace, host: str) -> None:
    answer = client_of(workspace).get("/api/workspace", headers={"Host": host})
    assert (answer.status_code, answer.text) == (403, "this server does not answer to that host name")


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:1", "localhost", "[::1]:8765"])
def test_this_machines_names_are_answered(workspace: Workspace, host: str) -> None:
    assert client_of(workspace).get("/api/workspace", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example", "X-Fullseg": "1"},
        {"Origin": "null", "X-Fullseg": "1"},
        {"Origin": "http://[x]", "X-Fullseg": "1"},
        {"Origin": "http://127.0.0.1:9999", "X-Fullseg": "1"},  # another server on this machine
        {"Sec-Fetch-Site": "cross-site", "X-Fullseg": "1"},
        {},  # a form cannot send the header
    ],
)
def test_posts_of_other_pages_are_refused_and_change_nothing(workspace: Workspace, headers: dict[str, str]) -> None:
    client = client_of(workspace)
    assert client.post("/api/images/0/actions", json=ACTION, headers=headers).status_code == 403
    assert workspace.journal.revision("a.png") == 0


def test_this_page_may_post(workspace: Workspace) -> None:
    headers = {"Origin": "http://127.0.0.1:8765", "Sec-Fetch-Site": "same-origin", "X-Fullseg": "1"}
    assert client_of(workspace).post("/api/images/0/actions", json=ACTION, headers=headers).status_code == 200


def test_a_link_elsewhere_may_lead_to_the_page_but_to_nothing_else(workspace: Workspace) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client_of(workspace).get("/", headers=headers).status_code == 200
    assert client_of(workspace).get("/api/workspace", headers=headers).status_code == 403


def test_two_servers_on_one_machine_have_two_cookies(workspace: Workspace) -> None:
    names = []
    for port in (1, 2):
        client = client_of(workspace, f"http://desk.example:{port}", hosts=(), token="secret")
        answer = client.get("/?token=secret", follow_redirects=False)
        names.append(answer.headers["set-cookie"].partition("=")[0])
    assert names == ["fullseg_token_1", "fullseg_token_2"]


def test_another_host_needs_the_token(workspace: Workspace) -> None:
    with pytest.raises(ValueError, match="needs a token"):
        client_of(workspace, hosts=())
    client = client_of(workspace, "http://desk.example:8765", hosts=(), token="secret")
    assert client.get("/api/workspace").status_code == 401
    assert client.get("/?token=wrong").status_code == 401
    assert client.get("/api/workspace?token=secret").status_code == 401  # only the address of the page accepts a token
    answer = client.get("/?token=secret", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert client.get("/api/workspace").status_code == 200  # the cookie has the token


def test_bodies_are_limited_declared_or_not(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "LARGEST_BODY", 1000)
    client = client_of(workspace)
    headers = {"X-Fullseg": "1"}
    assert client.post("/api/images/0/actions", content=b" " * 1001, headers=headers).status_code == 413
    chunks = iter([b" " * 600, b" " * 600])  # no content-length
    assert client.post("/api/images/0/actions", content=chunks, headers=headers).status_code == 413


def test_every_answer_has_a_strict_policy(workspace: Workspace) -> None:
    client = client_of(workspace)
    for path in ("/", "/api/workspace", "/nowhere", "/static/nowhere"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
