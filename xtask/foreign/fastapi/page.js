// What the page of the chat does: a login by a form, a socket with the token in its address, a ping, two messages.
async ([account, password]) => {
  const body = new URLSearchParams({ username: account, password });
  const { access_token } = await (await fetch("/token", { method: "POST", body })).json();
  const socket = new WebSocket(`ws://${location.host}/rooms/lobby?token=${access_token}`);
  const heard = (type) => new Promise((done) => {
    socket.addEventListener("message", ({ data }) => { if (JSON.parse(data).type === type) done(); });
  });
  await heard("welcome");
  const say = async (frame, type) => {
    const answer = heard(type);
    socket.send(JSON.stringify(frame));
    await answer;
  };
  await say({ type: "ping" }, "pong");
  await say({ type: "message", id: crypto.randomUUID(), text: "Is anybody here?" }, "message");
  await say({ type: "message", id: crypto.randomUUID(), text: "It is a fine day." }, "message");
  await say({ type: "ping" }, "pong");
  socket.close(1000);
};
