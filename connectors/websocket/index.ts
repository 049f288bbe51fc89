export { type Followed, follow, type FollowOptions } from "./client.js";
export {
  CLOSE,
  type Filter,
  filterSchema,
  type Format,
  LIMITS,
  type Limits,
  type LiveCounts,
  type MigrationEvent,
  type Reply,
  type Request,
  SUBPROTOCOLS,
} from "./protocol.js";
export { attachWebSocket, type WebSocketEdge, type WebSocketOptions, type WebSocketStats } from "./server.js";
