// Rooms over Socket.IO: a token in the handshake's auth, a room that is joined, everybody in it hears what is said.
import { writeFileSync } from "node:fs";
import { Server } from "socket.io";

const counts = { opened: 0, taken: 0, said: 0, frames: 0 };
const io = new Server(Number(process.env.PORT), { pingInterval: 2000, pingTimeout: 4000, serveClient: false });

io.engine.on("connection", (session) => {
  // What opened it is written already.
  counts.frames += 1;
  session.on("packetCreate", () => { counts.frames += 1; });
});

io.use((socket, next) => {
  next(socket.handshake.auth.token === process.env.PASSWORD ? undefined : new Error("wrong token"));
});

io.on("connection", (socket) => {
  counts.opened += 1;
  socket.on("join", (room) => {
    socket.join(room);
    socket.emit("joined", room);
  });
  socket.on("say", ({ room, id, text }) => {
    counts.taken += 1;
    counts.said += io.sockets.adapter.rooms.get(room)?.size ?? 0;
    io.to(room).emit("said", { id, text, user: socket.handshake.auth.user });
  });
});

process.on("SIGTERM", () => {
  writeFileSync(process.env.COUNTS, JSON.stringify(counts));
  process.exit(0);
});
