// What the room of the tutorial does, once somebody is logged in.
async () => {
  const socket = new WebSocket(`ws://${location.host}/ws/chat/lobby/`);
  const next = (event) => new Promise((done) => socket.addEventListener(event, done, { once: true }));
  await next("open");
  for (const message of ["Is anybody here?", "It is a fine day."]) {
    socket.send(JSON.stringify({ message }));
    await next("message");
  }
  socket.close(1000);
};
