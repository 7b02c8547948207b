"""The guard: which requests are answered."""

import asyncio

import pytest

from wherewhen.galleries.page.guard import Guard


async def echo(scope, receive, send):
    """Answer with the number of bytes that came."""
    total, more = 0, True
    while more:
        message = await receive()
        total += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(total).encode()})


def answer(headers=(), chunks=(b"",), host="127.0.0.1", kind="http"):
    named = {"host": "127.0.0.1:8080", **dict(headers)}
    scope = {"type": kind, "headers": [(k.encode(), v.encode()) for k, v in named.items()]}
    sent, left = [], list(chunks)

    async def receive():
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    async def send(message):
        sent.append(message)

    asyncio.run(Guard(echo, host, largest=10)(scope, receive, send))
    return sent


def status(*arguments, **options):
    return answer(*arguments, **options)[0]["status"]


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"])
def test_the_page_itself_is_answered(host):
    assert status({"host": host}) == 200
    assert status({"host": host, "origin": f"http://{host}"}) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:8080"},
        {"host": "[broken"},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:9090"},
        {"origin": "null"},
    ],
)
def test_other_pages_are_not(headers):
    assert status(headers) == 403
    assert answer(headers, kind="websocket") == [{"type": "websocket.close", "code": 1008}]


def test_where_it_is_open_any_name_of_it_is_answered():
    given = {"host": "desk.example:8080"}
    assert status(given, host="0.0.0.0") == 200
    assert status(given | {"origin": "http://desk.example:8080"}, host="0.0.0.0") == 200
    assert status(given | {"origin": "http://evil.example"}, host="0.0.0.0") == 403


def test_bodies_are_bounded():
    assert status(chunks=[b"12345", b"12345"]) == 200
    assert status(chunks=[b"12345", b"123456"]) == 413
    assert status({"content-length": "11"}) == 413


def test_nothing_is_loaded_from_elsewhere():
    [start, _] = answer()
    policy = dict(start["headers"])[b"content-security-policy"].decode()
    assert "default-src 'self'" in policy
    assert "http" not in policy
