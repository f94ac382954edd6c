// What the page of the chat does: a login that sets a cookie, a socket that it opens, two calls of JSON-RPC.
async ([user, password]) => {
  const headers = { "content-type": "application/json" };
  await fetch("/login", { method: "POST", headers, body: JSON.stringify({ user, password }) });
  const socket = new WebSocket(`ws://${location.host}/ws/lobby`);
  const next = (event) => new Promise((done) => socket.addEventListener(event, done, { once: true }));
  await next("open");
  let id = 0;
  for (const text of ["Is anybody here?", "It is a fine day."]) {
    const answer = next("message");
    socket.send(JSON.stringify({ jsonrpc: "2.0", id: (id += 1), method: "say", params: { text } }));
    await answer;
  }
  socket.close(1000);
};
