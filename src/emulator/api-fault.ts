/** Why FaceID refuses a call, as the API says it. */

export interface ApiError {
  readonly code: string;
  readonly message: string;
}

export class ApiFault extends Error {
  readonly answer: ApiError;
  /** `bucket/key` of the objects concerned, where they are known by then. */
  readonly objects: readonly string[];

  constructor(code: string, message: string, objects: readonly string[] = []) {
    super(message);
    this.answer = { code, message };
    this.objects = objects;
  }
}
