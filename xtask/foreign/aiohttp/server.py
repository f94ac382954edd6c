"""Rooms over aiohttp: a login that sets a cookie, a socket that the cookie opens, JSON-RPC on it."""

import json
import os
import secrets
from collections import Counter, defaultdict

from aiohttp import WSMsgType, web

counts: Counter[str] = Counter()
sessions: dict[str, str] = {}
rooms: dict[str, set[web.WebSocketResponse]] = defaultdict(set)
routes = web.RouteTableDef()


@routes.post("/login")
async def login(request: web.Request) -> web.Response:
    asked = await request.json()
    if not secrets.compare_digest(asked["password"], os.environ["PASSWORD"]):
        raise web.HTTPUnauthorized
    session = secrets.token_urlsafe(16)
    sessions[session] = asked["user"]
    response = web.json_response({"ok": True})
    response.set_cookie("session", session, httponly=True, samesite="Lax")
    return response


@routes.get("/ws/{room}")
async def chat(request: web.Request) -> web.WebSocketResponse:
    who = sessions.get(request.cookies.get("session", ""))
    if who is None:
        raise web.HTTPForbidden
    socket = web.WebSocketResponse(heartbeat=5)
    await socket.prepare(request)
    counts["opened"] += 1
    room = rooms[request.match_info["room"]]
    room.add(socket)
    try:
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            call = message.json()
            counts["taken"] += 1
            if call["method"] != "say":
                error = {"code": -32601, "message": "no such method"}
                await socket.send_json({"jsonrpc": "2.0", "id": call["id"], "error": error})
                counts["frames"] += 1
                continue
            for member in list(room):
                if member is socket:
                    await socket.send_json({"jsonrpc": "2.0", "id": call["id"], "result": "said"})
                elif not member.closed:
                    said = {"user": who, "text": call["params"]["text"]}
                    try:
                        await member.send_json({"jsonrpc": "2.0", "method": "said", "params": said})
                    except ConnectionError:
                        continue
                counts.update(said=1, frames=1)
    finally:
        room.discard(socket)
    return socket


async def told(_: web.Application) -> None:
    with open(os.environ["COUNTS"], "w") as file:
        json.dump(counts, file)


async def hung_up(_: web.Application) -> None:
    for room in rooms.values():
        for socket in list(room):
            await socket.close(code=1001)


if __name__ == "__main__":
    app = web.Application()
    app.add_routes(routes)
    app.on_shutdown.append(hung_up)
    app.on_cleanup.append(told)
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), print=None)
