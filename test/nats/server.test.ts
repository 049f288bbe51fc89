import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connectBroker } from "../../connectors/nats/broker.js";
import { EmbeddedServer } from "../../connectors/nats/server.js";
import { serverVersions } from "../support/nats.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tidemark-server-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function connectionOf(
  file: string,
  options: (url: string) => Parameters<typeof connectBroker>[0],
  binary: string,
): Promise<string> {
  const server = await EmbeddedServer.start({ folder, binary, configFile: file });
  try {
    const broker = await connectBroker(options(server.url));
    const { version } = broker;
    await broker.close();
    return version;
  } finally {
    await server.stop();
  }
}

describe.each(serverVersions)("an embedded nats-server $version", ({ binary, version }) => {
  test("keeps its streams over a restart", async () => {
    for (let run = 0; run < 2; run++) {
      const server = await EmbeddedServer.start({ folder, binary });
      const broker = await connectBroker({ servers: server.url });
      expect(broker.version).toBe(version);
      if (run === 0) await broker.api("STREAM.CREATE.S", { name: "S", subjects: ["s"], storage: "file" });
      expect(await broker.publishStored("s", new Uint8Array(3))).toBe(run + 1);
      await broker.close();
      await server.stop();
    }
  });

  test("a port in use is one clear error", async () => {
    const taken = net.createServer();
    await new Promise<void>((done) => taken.listen(0, "127.0.0.1", done));
    const { port } = taken.address() as net.AddressInfo;
    await expect(EmbeddedServer.start({ folder, binary, port })).rejects.toMatchObject({
      code: "PORT_IN_USE",
      message: expect.stringContaining(String(port)),
    });
    taken.close();
  });

  test("a second engine in the same folder is refused", async () => {
    const server = await EmbeddedServer.start({ folder, binary });
    const owner = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60_000)"]);
    writeFileSync(join(folder, "nats-server.lock"), JSON.stringify({ server: server.pid, owner: owner.pid }));
    await expect(EmbeddedServer.start({ folder, binary })).rejects.toThrow(/in use by process/);
    owner.kill();
    await new Promise((done) => owner.once("exit", done));
    // Its owner is dead: the orphan is stopped, and the folder is ours.
    const next = await EmbeddedServer.start({ folder, binary });
    await next.stop();
    await server.stop();
  });

  test("ends that nobody asked for are told", async () => {
    const told = await new Promise<string>((resolve) => {
      void EmbeddedServer.start({ folder, binary, onExit: resolve }).then((server) => server.signal("SIGKILL"));
    });
    expect(told).toContain("SIGKILL");
  });

  test("user and password, token, and NKey, from files and from the URL", async () => {
    const config = join(folder, "server.conf");
    const secret = join(folder, "secret");
    writeFileSync(secret, "s3cret\n");
    writeFileSync(config, 'authorization { user: shop, password: "s3cret" }');
    expect(await connectionOf(config, (servers) => ({ servers, user: "shop", passwordFile: secret }), binary)).toBe(
      version,
    );
    expect(await connectionOf(config, (url) => ({ servers: url.replace("//", "//shop:s3cret@") }), binary)).toBe(
      version,
    );
    const refused = connectionOf(config, (url) => ({ servers: url.replace("//", "//shop:wrong@") }), binary);
    await expect(refused).rejects.toThrow(/BROKER_UNREACHABLE.*\/\/…@127.*refused the credentials/);
    writeFileSync(config, 'authorization { token: "s3cret" }');
    expect(await connectionOf(config, (servers) => ({ servers, tokenFile: secret }), binary)).toBe(version);
    expect(await connectionOf(config, (url) => ({ servers: url.replace("//", "//s3cret@") }), binary)).toBe(version);
    const { createUser } = await import("nkeys.js");
    const user = createUser();
    writeFileSync(secret, user.getSeed());
    writeFileSync(config, `authorization { users = [ { nkey: ${user.getPublicKey()} } ] }`);
    expect(await connectionOf(config, (servers) => ({ servers, nkeyFile: secret }), binary)).toBe(version);
  });

  test("TLS with the authority from a file, and a client's certificate", async () => {
    const path = (name: string) => join(folder, name);
    const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "ignore" });
    openssl(
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "2",
      "-subj",
      "/CN=authority",
      "-keyout",
      path("ca.key"),
      "-out",
      path("ca.pem"),
    );
    for (const who of ["server", "client"]) {
      openssl(
        "req",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        `/CN=${who}`,
        "-keyout",
        path(`${who}.key`),
        "-out",
        path(`${who}.csr`),
      );
      writeFileSync(path(`${who}.ext`), "subjectAltName=IP:127.0.0.1,DNS:localhost");
      openssl(
        "x509",
        "-req",
        "-in",
        path(`${who}.csr`),
        "-CA",
        path("ca.pem"),
        "-CAkey",
        path("ca.key"),
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        path(`${who}.ext`),
        "-out",
        path(`${who}.pem`),
      );
    }
    const config = path("server.conf");
    writeFileSync(
      config,
      `tls { cert_file: "${path("server.pem")}", key_file: "${path("server.key")}", ca_file: "${path("ca.pem")}", verify: true }`,
    );
    const tls = { caFile: path("ca.pem"), certFile: path("client.pem"), keyFile: path("client.key") };
    expect(await connectionOf(config, (url) => ({ servers: url.replace("nats:", "tls:"), tls }), binary)).toBe(version);
    await expect(connectionOf(config, (servers) => ({ servers, tls: {} }), binary)).rejects.toThrow(
      /BROKER_UNREACHABLE/,
    );
  });
});

test("a missing broker, one without JetStream and a bad address are one clear line", async () => {
  await expect(connectBroker({ servers: "nats://127.0.0.1:1" })).rejects.toMatchObject({
    code: "BROKER_UNREACHABLE",
    message: "BROKER_UNREACHABLE: no connection to nats://127.0.0.1:1: connection refused",
  });
  await expect(connectBroker({ servers: "http://x" })).rejects.toMatchObject({ code: "USAGE" });
  await expect(connectBroker({ servers: "127.0.0.1", credentialsFile: "/nowhere" })).rejects.toMatchObject({
    code: "FILE_UNREADABLE",
  });
  const { binary } = serverVersions[0] as (typeof serverVersions)[number];
  const plain = spawn(binary, ["-p", "-1", "-a", "127.0.0.1"], { stdio: ["ignore", "ignore", "pipe"] });
  const port = await new Promise<string>((resolve) => {
    let log = "";
    plain.stderr.on("data", (bytes: Buffer) => {
      log += bytes.toString();
      const found = /Listening for client connections on \S*:(\d+)/.exec(log);
      if (found?.[1]) resolve(found[1]);
    });
  });
  await expect(connectBroker({ servers: `nats://127.0.0.1:${port}` })).rejects.toMatchObject({
    code: "BROKER_UNSUITABLE",
  });
  plain.kill();
});

test("a missing binary and a folder that can't be written are one clear line", async () => {
  await expect(EmbeddedServer.start({ folder, binary: join(folder, "nats-server") })).rejects.toMatchObject({
    code: "BROKER_MISSING",
  });
  const file = join(folder, "file");
  writeFileSync(file, "");
  chmodSync(file, 0o444);
  const error = await EmbeddedServer.start({ folder: join(file, "data") }).catch((failure: unknown) => failure);
  expect(error).toMatchObject({ code: "DISK_FULL", remedy: expect.stringContaining("--data") });
});
