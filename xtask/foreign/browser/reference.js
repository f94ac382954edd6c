// What the page of a chat does that speaks the contract: a login, a connection token, a socket, two questions.
async ([account, password]) => {
  const post = async (path, body, headers = {}) => {
    const sent = { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) };
    return (await fetch(path, sent)).json();
  };
  const { token } = await post("/api/auth/login/", { email: account, password });
  const room = crypto.randomUUID();
  const asked = { connection_id: room };
  const { connection_token } = await post("/api/v1/auth/ws-connection-token/", asked, { authorization: `Bearer ${token}` });
  const socket = new WebSocket(`ws://${location.host}/ws/chat/${room}/?connection_token=${connection_token}`);
  const heard = (event) => new Promise((done) => {
    socket.addEventListener("message", function hear({ data }) {
      if (JSON.parse(data).event !== event) return;
      socket.removeEventListener("message", hear);
      done();
    });
  });
  await heard("connected");
  socket.send(JSON.stringify({ type: "ping" }));
  await heard("pong");
  for (const message of ["What is the capital of France?", "And of Spain, please?"]) {
    socket.send(JSON.stringify({ message, client_message_id: crypto.randomUUID() }));
    await heard("complete");
  }
  socket.close(1000);
};
