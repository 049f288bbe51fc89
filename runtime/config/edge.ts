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
}

export const PORT_DEFAULT = 7077;
export const HOST_DEFAULT = "127.0.0.1";
