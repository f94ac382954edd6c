// What the page of the chat does: who is there is said in the first frame; two messages.
async ([account, password]) => {
  const socket = new WebSocket(`ws://${location.host}/chat`);
  const next = (event) => new Promise((done) => socket.addEventListener(event, done, { once: true }));
  const say = async (frame) => {
    const answer = next("message");
    socket.send(JSON.stringify(frame));
    await answer;
  };
  await next("open");
  await say({ type: "auth", token: password, user: account, room: "lobby" });
  await say({ type: "message", id: crypto.randomUUID(), text: "Is anybody here?" });
  await say({ type: "message", id: crypto.randomUUID(), text: "It is a fine day." });
  socket.close(1000);
};
