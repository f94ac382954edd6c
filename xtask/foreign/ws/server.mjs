// Rooms over `ws`: who is there is said in the first frame, and everybody in a room hears what is said.
import { createServer } from "node:http";
import { writeFileSync } from "node:fs";
import { WebSocket, WebSocketServer } from "ws";

const counts = { opened: 0, taken: 0, said: 0, frames: 0 };
const rooms = new Map();
const server = createServer((_, response) => response.writeHead(404).end());
const sockets = new WebSocketServer({ server, path: "/chat" });

function authenticated(socket, { token, user, room }) {
  if (token !== process.env.PASSWORD) return socket.close(4401, "wrong token");
  const members = rooms.get(room) ?? rooms.set(room, new Set()).get(room);
  members.add(socket);
  socket.on("close", () => members.delete(socket));
  socket.say = ({ id, text }) => {
    counts.taken += 1;
    const said = JSON.stringify({ type: "message", user, id, text });
    for (const member of members) {
      if (member.readyState !== WebSocket.OPEN) continue;
      member.send(said);
      counts.said += 1;
      counts.frames += 1;
    }
  };
  socket.send(JSON.stringify({ type: "ready", session: Math.random().toString(36).slice(2) }));
  counts.frames += 1;
}

sockets.on("connection", (socket) => {
  counts.opened += 1;
  const patience = setTimeout(() => socket.close(4408, "authenticate first"), 5000);
  socket.on("error", () => socket.terminate());
  socket.on("close", () => clearTimeout(patience));
  socket.on("message", (data) => {
    const message = JSON.parse(data);
    if (message.type === "auth") {
      clearTimeout(patience);
      authenticated(socket, message);
    } else if (!socket.say) {
      socket.close(4401, "authenticate first");
    } else {
      socket.say(message);
    }
  });
});

process.on("SIGTERM", () => {
  writeFileSync(process.env.COUNTS, JSON.stringify(counts));
  process.exit(0);
});
server.listen(Number(process.env.PORT), "127.0.0.1");
