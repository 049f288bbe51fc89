/** Messages into the orders streams: what `publish` and `simulate --nats` share. */
import { createHash } from "node:crypto";
import { FatalError } from "../../runtime/errors.js";
import type { Settings } from "../../runtime/settings.js";
import type { OutMessage } from "../file/index.js";
import { type Broker, type BrokerOptions, connectBroker, within } from "../nats/broker.js";
import { OrdersPublisher, type PublisherOptions } from "../nats/publisher.js";
import { ensureOrdersStreams } from "../nats/streams.js";

/** Earliest time that a tick may carry. */
const TICK_MIN = Date.UTC(1990, 0);
const NEVER = new AbortController().signal;

export class Publishing {
  /** Events and messages handed over so far. */
  events = 0;
  messages = 0;
  readonly #broker: Broker;
  readonly #publisher: OrdersPublisher;
  readonly #settings: Settings;
  readonly #ordinals: number[];

  private constructor(broker: Broker, settings: Settings, options: PublisherOptions) {
    this.#broker = broker;
    this.#settings = settings;
    this.#publisher = new OrdersPublisher(broker, settings, options);
    this.#ordinals = Array.from({ length: settings.partitions }, () => 0);
  }

  /** Connects, and makes the orders streams where they are missing. Throws FatalError, InputError. */
  static async open(broker: BrokerOptions, settings: Settings, options: PublisherOptions = {}): Promise<Publishing> {
    const adopted = settings.sources[0]?.adopt;
    if (adopted !== undefined) {
      throw new FatalError(
        "STREAM_UNSUITABLE",
        `the configuration adopts the stream ${adopted.stream}: its shop writes there`,
        {
          remedy: "Publish under a configuration without `stream`, or let the shop send the orders.",
        },
      );
    }
    const connected = await connectBroker(broker);
    try {
      await ensureOrdersStreams(connected, settings);
      return new Publishing(connected, settings, options);
    } catch (error) {
      await connected.close();
      throw error;
    }
  }

  /** Messages that the broker had already. */
  get repeated(): number {
    return this.#publisher.repeated;
  }

  /** Waits while the window is full. */
  async send(message: OutMessage, silent: boolean): Promise<void> {
    this.events += message.events;
    this.messages++;
    const { partition, channel, body } = message;
    // By content and place: sent again soon, the broker drops it; the same event twice in a file stays twice.
    const ordinal = this.#ordinals[partition] ?? 0;
    this.#ordinals[partition] = ordinal + 1;
    const id = `${createHash("sha256").update(body).digest("hex").slice(0, 24)}-${ordinal}`;
    await this.#publisher.publish(partition, channel, body, { id, silent });
  }

  /** A tick in every partition, at `instant` (ms) under `clock: event`. */
  async tick(instant: number): Promise<void> {
    const time = this.#settings.clock === "event" ? Math.max(instant, TICK_MIN) : undefined;
    for (let partition = 0; partition < this.#settings.partitions; partition++)
      await this.#publisher.tick(partition, time);
  }

  /** Everything sent is stored afterwards. Throws FatalError. */
  flush(): Promise<void> {
    return this.#publisher.flush();
  }

  /** As `flush`, whatever the signal says, but not for longer. Returns how many messages are perhaps not stored. */
  async flushBriefly(msMax: number): Promise<number> {
    await within(
      msMax,
      this.#publisher.flush(NEVER).catch(() => {}),
    );
    return this.#publisher.inFlight;
  }

  async close(): Promise<void> {
    this.#publisher.close();
    await this.#broker.close();
  }
}
