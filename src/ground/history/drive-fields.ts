/** What a drive is read from. */
export const driveRoles = ['speed', 'odometer', 'power', 'efficiency', 'battery'] as const;

export type DriveRole = (typeof driveRoles)[number];

/** A field, as far as its meaning shows. */
export interface NamedField {
  readonly topic: string;
  readonly path: string;
  readonly unit: string;
}

interface RoleRule {
  /** Units, and what one of them is in the unit of {@link DriveFields}. */
  readonly units: Readonly<Record<string, number>>;
  readonly path: RegExp;
}

const M_PER_MILE = 1_609.344;

/** In m/s, m, kW, Wh/km and percent. */
const rules: Readonly<Record<DriveRole, RoleRule>> = {
  speed: {
    units: { 'm/s': 1, 'km/h': 1 / 3.6, mph: M_PER_MILE / 3_600 },
    path: /(^|\.)(v|speed|velocity|linear\.x)$/i,
  },
  odometer: { units: { m: 1, km: 1_000, mi: M_PER_MILE }, path: /(^|[._])(odometer|mileage)([._]|$)/i },
  power: { units: { W: 1e-3, kW: 1 }, path: /(^|[._])power$/i },
  efficiency: { units: { 'Wh/km': 1 }, path: /(^|\.)(consumption|efficiency)$/i },
  battery: { units: { '%': 1 }, path: /(^|[._])(charge|percentage|battery|soc)$/i },
};

/** Which field of a robot has which role, and the factor to the unit of the role. */
export type DriveFields = Readonly<Partial<Record<DriveRole, NamedField & { readonly factor: number }>>>;

/** Finds the fields of a drive by unit and path; of several, the first. */
export function driveFieldsOf(fields: readonly NamedField[]): DriveFields {
  const found: Partial<Record<DriveRole, NamedField & { readonly factor: number }>> = {};
  for (const role of driveRoles) {
    const { units, path } = rules[role];
    const field = fields.find((one) => Object.hasOwn(units, one.unit) && path.test(one.path));
    if (field === undefined) continue;
    const { topic, path: name, unit } = field;
    found[role] = { topic, path: name, unit, factor: units[unit] ?? 1 };
  }
  return found;
}

/** A role that only a vehicle has. A robot arm has no speed, and a battery is no drive. */
export function isVehicle({ speed, power, efficiency, odometer }: DriveFields): boolean {
  return odometer !== undefined || (speed !== undefined && (power !== undefined || efficiency !== undefined));
}
