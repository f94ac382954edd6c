// A room over graphql-ws: a mutation says something, a subscription hears it.
import { EventEmitter, on } from "node:events";
import { createServer } from "node:http";
import { writeFileSync } from "node:fs";
import { GraphQLError, GraphQLID, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, GraphQLString, Kind } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";

const counts = { opened: 0, taken: 0, said: 0, frames: 0 };
const room = new EventEmitter().setMaxListeners(0);
const id = { type: new GraphQLNonNull(GraphQLID) };
const text = { type: new GraphQLNonNull(GraphQLString) };
const Message = new GraphQLObjectType({ name: "Message", fields: { id, text } });

const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: "Query", fields: { now: { type: GraphQLString, resolve: () => new Date().toISOString() } } }),
  mutation: new GraphQLObjectType({
    name: "Mutation",
    fields: {
      say: {
        type: new GraphQLNonNull(Message),
        args: { id, text },
        resolve: (_, message) => {
          if (message.text === "") throw new GraphQLError("nothing is said");
          counts.taken += 1;
          room.emit("said", message);
          return message;
        },
      },
    },
  }),
  subscription: new GraphQLObjectType({
    name: "Subscription",
    fields: {
      said: {
        type: new GraphQLNonNull(Message),
        subscribe: async function* () {
          for await (const [said] of on(room, "said")) yield { said };
        },
      },
    },
  }),
});

const server = createServer((_, response) => response.writeHead(404).end());
const sockets = new WebSocketServer({ server, path: "/graphql" });
sockets.on("connection", (socket) => {
  const send = socket.send.bind(socket);
  socket.send = (...frame) => {
    counts.frames += 1;
    return send(...frame);
  };
});
useServer(
  {
    schema,
    onConnect: ({ connectionParams }) => {
      if (connectionParams?.token !== process.env.PASSWORD) return false;
      counts.opened += 1;
      return true;
    },
    onNext: (_, __, ___, { document }) => {
      const { operation } = document.definitions.find(({ kind }) => kind === Kind.OPERATION_DEFINITION);
      if (operation === "subscription") counts.said += 1;
    },
  },
  sockets,
);

process.on("SIGTERM", () => {
  writeFileSync(process.env.COUNTS, JSON.stringify(counts));
  process.exit(0);
});
server.listen(Number(process.env.PORT), "127.0.0.1");
