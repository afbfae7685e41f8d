/** Of the robots with a VIN, the one that was heard last: a vehicle may have been enrolled under several names. */
export function robotOfVin<T extends { readonly vin: string }>(
  robots: readonly T[],
  vin: string,
  heard: (robot: T) => bigint | number,
): T | undefined {
  if (vin === '') return undefined;
  return robots
    .filter((one) => one.vin === vin)
    .reduce<T | undefined>(
      (last, one) => (last === undefined || heard(one) > heard(last) ? one : last),
      undefined,
    );
}
