/** While a legal hold is set, nobody can erase the verification. */
export interface LegalHold {
  /** Operator who set the hold. */
  readonly by: string;
  /** Reason that the operator gave. */
  readonly why: string;
  /** ISO 8601. */
  readonly since: string;
}
