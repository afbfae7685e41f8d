/** A rectangle of pixels; it may reach beyond the image. */
export interface ImageRegion {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What is done to messages of type sensor_msgs/msg/Image. */
export type ImageRule =
  /** The pixels of these regions become black. */
  | { readonly kind: 'blank'; readonly regions: readonly ImageRegion[] }
  | {
      readonly kind: 'jpeg';
      /** 1 to 100. */
      readonly quality: number;
      /** Images that cannot become a JPEG stay as they are; otherwise they are a fault. */
      readonly isLenient: boolean;
    }
  /** A video of all images. `crf`: x264's constant rate factor, 0 (lossless) to 51. */
  | { readonly kind: 'h264'; readonly crf: number };

export const IMAGE_RULE_FORM =
  'REGEX jpeg=QUALITY (1 to 100; with ? after it, images that have no JPEG stay), REGEX h264=CRF (0 to 51), ' +
  'REGEX blank=WIDTHxHEIGHT+X+Y,... in pixels';

const CRF_MAX = 51;
const SIDE_MAX = 65_536;
const REGION = /^(\d{1,5})x(\d{1,5})\+(\d{1,5})\+(\d{1,5})$/;

/** Whether a setting is about images, well-formed or not. */
export function isImageSetting(setting: string): boolean {
  return /^(?:jpeg|h264|blank)=/.test(setting);
}

/** Parses a setting of the form {@link IMAGE_RULE_FORM}; undefined if it has another form. */
export function parseImageRule(setting: string): ImageRule | undefined {
  const [, digits, mark] = /^jpeg=(\d{1,3})(\??)$/.exec(setting) ?? [];
  if (digits !== undefined) {
    const quality = Number(digits);
    return quality >= 1 && quality <= 100 ? { kind: 'jpeg', quality, isLenient: mark === '?' } : undefined;
  }
  const [, factor] = /^h264=(\d{1,2})$/.exec(setting) ?? [];
  if (factor !== undefined)
    return Number(factor) <= CRF_MAX ? { kind: 'h264', crf: Number(factor) } : undefined;
  if (!setting.startsWith('blank=')) return undefined;
  const regions = setting.slice('blank='.length).split(',').map(regionOf);
  return regions.every((region) => region !== undefined) ? { kind: 'blank', regions } : undefined;
}

function regionOf(text: string): ImageRegion | undefined {
  const [width = 0, height = 0, x = 0, y = 0] = (REGION.exec(text) ?? []).slice(1).map(Number);
  const isInside = width > 0 && height > 0 && Math.max(width, height, x, y) <= SIDE_MAX;
  return isInside ? { x, y, width, height } : undefined;
}
