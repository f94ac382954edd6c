// What the page of the chat does: polling first, as the client has it by itself, then the socket; two messages.
async ([account, password]) => {
  const socket = io({ auth: { token: password, user: account } });
  const heard = (event) => new Promise((done) => socket.once(event, done));
  await heard("connect");
  while (socket.io.engine.transport.name !== "websocket") await new Promise((done) => setTimeout(done, 10));
  socket.emit("join", "lobby");
  await heard("joined");
  for (const text of ["Is anybody here?", "It is a fine day."]) {
    socket.emit("say", { room: "lobby", id: crypto.randomUUID(), text });
    await heard("said");
  }
  // Long enough for a ping of the server.
  await new Promise((done) => setTimeout(done, 2500));
  socket.disconnect();
};
