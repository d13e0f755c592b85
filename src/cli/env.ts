/** The environment that a command reads its settings from. */
export type Env = Readonly<Record<string, string | undefined>>;
