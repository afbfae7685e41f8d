import type { RawImage } from '../../core/ros/image-message.js';
import type { FieldPath } from '../../core/transform/field-path.js';
import type { ImageInput } from '../../core/transform/infer-rule.js';
import { byteForms, type PixelForm } from './pixel-forms.js';
import { checkSize } from './raw-image.js';

/** Of red, green and blue in grey (ITU-R BT.601). */
const GREY = [0.299, 0.587, 0.114] as const;

/**
 * The image as the model gets it: scaled bilinearly (pixel centres at halves, as OpenCV does), in its order of colours,
 * divided by `scale`, less `mean`, divided by `std`. Throws an Error for encodings of other than 8 bits.
 */
export function imageInput(image: RawImage, input: ImageInput): Float32Array {
  const form = byteForms.get(image.encoding);
  if (!form) {
    const allowed = [...byteForms.keys()].join(', ');
    throw new Error(`images of "${image.encoding}" are no input of a model; allowed: ${allowed}`);
  }
  if (image.width < 1 || image.height < 1) throw new Error('an image without pixels is no input of a model');
  checkSize(image, form.pixelBytes);
  const { width, height, color, layout, scale, mean, std } = input;
  const colors = color === 'gray' ? 1 : 3;
  const values = new Float32Array(width * height * colors);
  const across = weightsOf(width, image.width);
  const down = weightsOf(height, image.height);
  const pixel = new Float64Array(3);
  for (const [y, row] of down.entries()) {
    for (const [x, column] of across.entries()) {
      readPixel(image, form, row, column, pixel);
      for (let c = 0; c < colors; c++) {
        const value = colorOf(pixel, color, c);
        const at = layout === 'nchw' ? (c * height + y) * width + x : (y * width + x) * colors + c;
        values[at] = (value / scale - (mean[c] ?? 0)) / (std[c] ?? 1);
      }
    }
  }
  return values;
}

/** Two neighbours in the image, and the part that the second one has. */
interface Weights {
  readonly first: number;
  readonly second: number;
  readonly part: number;
}

function weightsOf(size: number, imageSize: number): Weights[] {
  return Array.from({ length: size }, (_, index) => {
    const at = Math.min(Math.max(((index + 0.5) * imageSize) / size - 0.5, 0), imageSize - 1);
    const first = Math.floor(at);
    return { first, second: Math.min(first + 1, imageSize - 1), part: at - first };
  });
}

/** Red, green and blue at a place between four pixels. */
function readPixel(
  { data, step }: RawImage,
  { pixelBytes, places }: PixelForm,
  row: Weights,
  column: Weights,
  pixel: Float64Array,
): void {
  const [above, below] = [row.first * step, row.second * step];
  const [left, right] = [column.first * pixelBytes, column.second * pixelBytes];
  for (let c = 0; c < 3; c++) {
    const place = places[c]!;
    const top = mixed(data[above + left + place]!, data[above + right + place]!, column.part);
    const bottom = mixed(data[below + left + place]!, data[below + right + place]!, column.part);
    pixel[c] = mixed(top, bottom, row.part);
  }
}

function mixed(a: number, b: number, part: number): number {
  return a + (b - a) * part;
}

function colorOf(pixel: Float64Array, color: ImageInput['color'], index: number): number {
  if (color === 'gray') return GREY.reduce((sum, weight, c) => sum + weight * pixel[c]!, 0);
  return pixel[color === 'rgb' ? index : 2 - index]!;
}

/**
 * The numbers of these fields, one after the other. A boolean is 0 or 1, and a list gives all of its numbers. Undefined:
 * the message lacks an optional field. Throws an Error that names a field which is missing or has no numbers.
 */
export function fieldsInput(value: unknown, paths: readonly FieldPath[]): Float32Array | undefined {
  const numbers: number[] = [];
  for (const { names, optional } of paths) {
    const found = collect(value, names, numbers);
    if (found === 'found') continue;
    if (found === 'missing' && optional) return undefined;
    const name = names.join('.');
    throw new Error(found === 'missing' ? `it has no field ${name}` : `its field ${name} has no numbers`);
  }
  return Float32Array.from(numbers);
}

type Found = 'found' | 'missing' | 'other';

function collect(value: unknown, names: readonly string[], numbers: number[]): Found {
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    for (const element of value as Iterable<unknown>) {
      const found = collect(element, names, numbers);
      if (found !== 'found') return found;
    }
    return 'found';
  }
  const [name, ...rest] = names;
  if (name !== undefined) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return 'missing';
    return collect((value as Record<string, unknown>)[name], rest, numbers);
  }
  if (typeof value !== 'number' && typeof value !== 'bigint' && typeof value !== 'boolean') return 'other';
  numbers.push(Number(value));
  return 'found';
}
