"""Rooms over FastAPI on uvicorn: a login for a token, the token in the query, everybody in a room hears what is said."""

import json
import os
import secrets
from collections import Counter, defaultdict
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, Form, HTTPException, WebSocket, WebSocketDisconnect, WebSocketException, status

counts: Counter[str] = Counter()
tokens: dict[str, str] = {}
rooms: dict[str, set[WebSocket]] = defaultdict(set)


@asynccontextmanager
async def lifespan(_: FastAPI):
    yield
    with open(os.environ["COUNTS"], "w") as file:
        json.dump(counts, file)


app = FastAPI(lifespan=lifespan)


@app.post("/token")
async def login(username: str = Form(), password: str = Form()) -> dict[str, str]:
    if not secrets.compare_digest(password, os.environ["PASSWORD"]):
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "wrong name or password")
    token = secrets.token_urlsafe(16)
    tokens[token] = username
    return {"access_token": token, "token_type": "bearer"}


async def broadcast(room: str, message: dict) -> None:
    for member in list(rooms[room]):
        try:
            await member.send_json(message)
            counts.update(said=1, frames=1)
        except (WebSocketDisconnect, RuntimeError):
            rooms[room].discard(member)


@app.websocket("/rooms/{room}")
async def chat(socket: WebSocket, room: str, token: str = "") -> None:
    who = tokens.get(token)
    if who is None:
        raise WebSocketException(status.WS_1008_POLICY_VIOLATION)
    await socket.accept()
    counts["opened"] += 1
    rooms[room].add(socket)
    await socket.send_json({"type": "welcome", "user": who})
    counts["frames"] += 1
    try:
        while True:
            message = await socket.receive_json()
            if message["type"] == "ping":
                await socket.send_json({"type": "pong"})
                counts["frames"] += 1
                continue
            counts["taken"] += 1
            await broadcast(room, {"type": "message", "user": who, "id": message["id"], "text": message["text"]})
    except WebSocketDisconnect:
        pass
    finally:
        rooms[room].discard(socket)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
