/** Whether a ground uses the TimescaleDB extension of its database. */
export const timescaleChoices = ['auto', 'never'] as const;
export type TimescaleChoice = (typeof timescaleChoices)[number];
