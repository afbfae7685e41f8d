import { present } from '../../core/present.js';
import { pathsOf, type FieldChange, type TransformRule } from '../../core/transform/rule.js';
import { toDecimals, toStep } from '../../core/transform/rounding.js';

/** What happens to one value, with all that is in it. */
export type LeafPlan =
  /** Numbers become 0, texts empty; lists keep their length. */
  | { readonly kind: 'zero' }
  /** As `zero`, and lists become empty; JSON loses the member. */
  | { readonly kind: 'drop' }
  /** A text becomes its keyed hash. */
  | { readonly kind: 'hash' }
  | { readonly kind: 'round'; readonly round: (value: number) => number };

/** What happens to the fields of a struct; those without a plan stay. */
export interface FieldsPlan {
  readonly kind: 'fields';
  readonly fields: ReadonlyMap<string, Plan>;
  readonly grids: readonly Grid[];
}

export type Plan = LeafPlan | FieldsPlan;

/** Two fields of one struct that are rounded together. */
export interface Grid {
  readonly latitude: string;
  readonly longitude: string;
  readonly metres: number;
}

interface MutableFields extends FieldsPlan {
  readonly fields: Map<string, Plan>;
  readonly grids: Grid[];
}

const emptyPlan = (): MutableFields => ({ kind: 'fields', fields: new Map(), grids: [] });

/** The plan of the fields of a rule, for those that `applies` accepts. */
export function planOf(
  { changes }: Pick<TransformRule, 'changes'>,
  applies: (change: FieldChange) => boolean = () => true,
): FieldsPlan {
  const root = emptyPlan();
  for (const change of changes) {
    if (!applies(change)) continue;
    const { names } = present(pathsOf(change)[0]);
    const last = present(names.at(-1));
    let at = root;
    for (const name of names.slice(0, -1)) at = within(at, name);
    if (change.kind === 'grid') {
      const longitude = present(change.longitude.names.at(-1));
      at.grids.push({ latitude: last, longitude, metres: change.metres });
    } else at.fields.set(last, leafOf(change));
  }
  return root;
}

/** The parser lets no field be inside of another that has a plan. */
function within(plan: MutableFields, name: string): MutableFields {
  const known = plan.fields.get(name);
  if (known) return known as MutableFields;
  const made = emptyPlan();
  plan.fields.set(name, made);
  return made;
}

function leafOf(change: Exclude<FieldChange, { kind: 'grid' }>): LeafPlan {
  switch (change.kind) {
    case 'decimals':
      return { kind: 'round', round: (value) => toDecimals(value, change.decimals) };
    case 'step':
      return { kind: 'round', round: (value) => toStep(value, change.metres) };
    case 'drop':
    case 'zero':
    case 'hash':
      return { kind: change.kind };
  }
}
