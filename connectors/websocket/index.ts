export { type Followed, type FollowOptions, follow } from "./client.js";
export {
  CLOSE,
  type Filter,
  type Format,
  filterSchema,
  LIMITS,
  type Limits,
  type LiveCounts,
  type MigrationEvent,
  type Reply,
  type Request,
  SUBPROTOCOLS,
} from "./protocol.js";
export { attachWebSocket, type WebSocketEdge, type WebSocketOptions, type WebSocketStats } from "./server.js";
