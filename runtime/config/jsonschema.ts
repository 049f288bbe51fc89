/** The configuration's JSON Schema, as editors use it. `runtime/schema/tidemark.schema.json` is this, written out. */
import { z } from "zod";
import { configSchema } from "./schema.js";

/** JSON Schema 2020-12 of the YAML. What takes two values to judge is not in it: `tidemark check` tells. */
export function configJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(configSchema, { io: "input" });
  return {
    $schema,
    title: "Tidemark configuration",
    description: "One instance of Tidemark: where its orders come from, and its models.",
    ...schema,
  };
}
