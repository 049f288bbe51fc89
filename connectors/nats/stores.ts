/** The store of an instance's checkpoints, in the layout that the configuration names. */
import { join } from "node:path";
import { checkpointsBucket, checkpointsFolder, type Layout } from "../../runtime/subjects.js";
import type { CheckpointStore } from "../checkpoints.js";
import { CheckpointFolder } from "../file/checkpointfolder.js";
import type { Broker } from "./broker.js";
import { CheckpointBucket } from "./objectstore.js";

/** `place`: a folder, or the broker whose object store it is. Touches nothing yet. */
export function checkpointStore(
  layout: Layout & { readonly replicas: number },
  place: string | Broker,
): CheckpointStore {
  if (typeof place !== "string") return new CheckpointBucket(place, checkpointsBucket(layout), layout.replicas);
  return new CheckpointFolder(join(place, checkpointsFolder(layout)));
}
