/** A decoded sensor_msgs/msg/Image. */
export interface RawImage {
  readonly header: ImageHeader;
  readonly height: number;
  readonly width: number;
  readonly encoding: string;
  readonly is_bigendian: number;
  /** Bytes of a row. */
  readonly step: number;
  readonly data: Uint8Array;
}

export interface ImageHeader {
  readonly stamp: { readonly sec: number; readonly nanosec?: number; readonly nsec?: number };
  readonly frame_id: string;
}
