/** Every table of the history that is kept in parts of a time: a month, or a chunk of TimescaleDB. */
export const historyTables = ['samples', 'samples_1s', 'samples_1min', 'samples_1h'] as const;
export type HistoryTable = (typeof historyTables)[number];

/** Creating and dropping parts of several processes wait for each other on it. */
export const PARTS_LOCK = 7_046_029_255;
