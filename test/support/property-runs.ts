/** How many inputs the long property tests try. Mutation testing runs them once for each mutant, so it tries fewer. */
export const PROPERTY_RUNS = Number(process.env.PROPERTY_RUNS ?? 10_000);
