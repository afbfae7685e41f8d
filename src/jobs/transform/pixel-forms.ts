/** Bytes of a pixel, and the places of red, green and blue in it. */
export interface PixelForm {
  readonly pixelBytes: number;
  readonly places: readonly [red: number, green: number, blue: number];
}

/** The encodings of sensor_msgs/image_encodings.hpp with 8 bits for each colour. */
export const byteForms: ReadonlyMap<string, PixelForm> = new Map<string, PixelForm>([
  ['rgb8', { pixelBytes: 3, places: [0, 1, 2] }],
  ['bgr8', { pixelBytes: 3, places: [2, 1, 0] }],
  ['rgba8', { pixelBytes: 4, places: [0, 1, 2] }],
  ['bgra8', { pixelBytes: 4, places: [2, 1, 0] }],
  ['mono8', { pixelBytes: 1, places: [0, 0, 0] }],
  ['8UC1', { pixelBytes: 1, places: [0, 0, 0] }],
  ['8UC3', { pixelBytes: 3, places: [2, 1, 0] }],
]);
