/** A planar pose, metres and radians. */
export interface PlanarPose {
  readonly x: number;
  readonly y: number;
  readonly yaw: number;
}

/** One transform of a `tf2_msgs/msg/TFMessage`, decoded. */
export interface Transform {
  readonly header: {
    readonly stamp: { readonly sec: number; readonly nanosec: number };
    readonly frame_id: string;
  };
  readonly child_frame_id: string;
  readonly transform: {
    readonly translation: { readonly x: number; readonly y: number };
    readonly rotation: { readonly x: number; readonly y: number; readonly z: number; readonly w: number };
  };
}

const FRAMES_MAX = 1_000;
/** Maximum depth of a tree; a circle is deeper. */
const DEPTH_MAX = 32;
/** Frame names of the robot itself, by their last part. */
const BASES: ReadonlySet<string> = new Set(['base_link', 'base_footprint']);

/** The last part of a frame's name: fleets prefix it with the robot's. */
export function frameKind(frame: string): string {
  return frame.slice(frame.lastIndexOf('/') + 1);
}

/** The newest transform of each frame, and the position of the robot's base in the root frame. */
export class TransformTree {
  readonly #edges = new Map<string, { readonly parent: string; readonly pose: PlanarPose }>();

  /** Adds one transform; returns the pose of the base if it changed. */
  add({
    header,
    child_frame_id: child,
    transform,
  }: Transform): { root: string; pose: PlanarPose } | undefined {
    if (this.#edges.size >= FRAMES_MAX && !this.#edges.has(child)) return undefined;
    const { translation: t, rotation: q } = transform;
    const yaw = Math.atan2(2 * (q.w * q.z + q.x * q.y), 1 - 2 * (q.y * q.y + q.z * q.z));
    this.#edges.set(child, { parent: header.frame_id, pose: { x: t.x, y: t.y, yaw } });
    return BASES.has(frameKind(child)) ? this.#poseOf(child) : undefined;
  }

  #poseOf(frame: string): { root: string; pose: PlanarPose } | undefined {
    let pose: PlanarPose = { x: 0, y: 0, yaw: 0 };
    let at = frame;
    for (let depth = 0; depth < DEPTH_MAX; depth++) {
      const edge = this.#edges.get(at);
      if (edge === undefined) return { root: at, pose };
      const { x, y, yaw } = edge.pose;
      const [cos, sin] = [Math.cos(yaw), Math.sin(yaw)];
      pose = { x: x + cos * pose.x - sin * pose.y, y: y + sin * pose.x + cos * pose.y, yaw: yaw + pose.yaw };
      at = edge.parent;
    }
    return undefined;
  }
}
