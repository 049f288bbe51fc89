/** Settings of the edges: where to connect and listen. They decide nothing about the output. */

export interface EdgeSettings {
  readonly server: {
    /** Of WebSocket, API, metrics and page. */
    readonly port: number;
    readonly host: string;
  };
  readonly nats: {
    /** Undefined: a nats-server of our own. */
    readonly url?: string;
    /** Files, not secrets: a `.creds` file, a token, an NKey seed, a password. */
    readonly credentialsFile?: string;
    readonly tokenFile?: string;
    readonly nkeyFile?: string;
    readonly user?: string;
    readonly passwordFile?: string;
    readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string };
  };
  readonly checkpoints: CheckpointSettings;
}

/** What a partition goes on from after a restart. */
export interface CheckpointSettings {
  readonly store: "folder" | "object" | "none";
  /** Undefined: `checkpoints` in the data folder. */
  readonly folder?: string;
  readonly everyMs: number;
  /** And after so many messages. */
  readonly messagesMax: number;
}

export const PORT_DEFAULT = 7077;
export const HOST_DEFAULT = "127.0.0.1";
export const CHECKPOINT_MS_DEFAULT = 60_000;
export const CHECKPOINT_MESSAGES_DEFAULT = 5_000_000;
/** More often would be nothing but writing. */
export const CHECKPOINT_MS_MIN = 100;
/** A timer of Node ends at 24 days. */
export const CHECKPOINT_MS_MAX = 86_400_000;
