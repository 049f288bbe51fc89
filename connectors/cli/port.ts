/** Where page, API and WebSocket listen: the options that say it, and whether the port is free. */
import { createServer } from "node:net";
import { Option } from "commander";
import { InputError } from "../../runtime/errors.js";
import { wholeNumber } from "./options.js";

export interface PortFlags {
  readonly port?: number;
  readonly host?: string;
}

export function portOption(): Option {
  return new Option("-p, --port <port>", "of page, API, metrics and WebSocket; 0: a free one")
    .env("TIDEMARK_PORT")
    .argParser(wholeNumber(0, 65_535));
}

export function hostOption(): Option {
  return new Option("--host <address>", "to listen on; 0.0.0.0: every one of this machine").env("TIDEMARK_HOST");
}

/** Throws InputError (PORT_IN_USE) where something listens there. */
export function probePort(port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => {
      // Any other trouble is the real server's to tell.
      if (error.code !== "EADDRINUSE") resolve();
      else reject(new InputError("PORT_IN_USE", `port ${port} of ${host} is taken`, { cause: error }));
    });
    probe.listen(port, host, () => probe.close(() => resolve()));
  });
}
