/** The error that FaceID answers when it refuses a call. */

export interface ApiError {
  readonly code: string;
  readonly message: string;
}

/** Thrown inside the emulator; becomes an `Error` in the answer. */
export class ApiFailure extends Error {
  readonly apiError: ApiError;
  /** `bucket/key` of the objects concerned, if the call got far enough to know them. */
  readonly objects: readonly string[];

  constructor(code: string, message: string, objects: readonly string[] = []) {
    super(message);
    this.apiError = { code, message };
    this.objects = objects;
  }
}
