/** The errors that COS answers. */

export interface CosError {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Thrown inside the emulator; becomes an XML error in the answer. */
export class CosFailure extends Error {
  readonly cosError: CosError;

  constructor(cosError: CosError) {
    super(cosError.message);
    this.cosError = cosError;
  }
}

export function accessDenied(message: string): CosError {
  return { status: 403, code: 'AccessDenied', message };
}

/** Tencent documents that a locked object can be neither replaced nor deleted, and not with which error. */
export function objectLocked(): CosError {
  return accessDenied('The object is locked until its retention ends.');
}

/** Versioning cannot be suspended in a bucket with object lock, nor object lock enabled while it is suspended. */
export function lockNeedsVersions(): CosError {
  return {
    status: 409,
    code: 'InvalidBucketState',
    message: 'A bucket with object lock must not have suspended versioning.',
  };
}

export function noSuchBucket(): CosError {
  return { status: 404, code: 'NoSuchBucket', message: 'The specified bucket does not exist.' };
}

export function noSuchKey(): CosError {
  return { status: 404, code: 'NoSuchKey', message: 'The specified key does not exist.' };
}

export function noSuchVersion(): CosError {
  return { status: 404, code: 'NoSuchVersion', message: 'The specified version does not exist.' };
}

export function noSuchUpload(): CosError {
  return { status: 404, code: 'NoSuchUpload', message: 'The specified multipart upload does not exist.' };
}

export function badDigest(): CosError {
  return {
    status: 400,
    code: 'BadDigest',
    message: 'The Content-MD5 you specified did not match what we received.',
  };
}

export function invalidDigest(): CosError {
  return { status: 400, code: 'InvalidDigest', message: 'The Content-MD5 you specified is not valid.' };
}

export function invalidAcl(): CosError {
  return invalidArgument('The specified ACL is not one of the canned ones.');
}

export function invalidArgument(message: string): CosError {
  return { status: 400, code: 'InvalidArgument', message };
}

export function invalidRange(): CosError {
  return { status: 416, code: 'InvalidRange', message: 'The requested range cannot be satisfied.' };
}

export function malformedXml(): CosError {
  return { status: 400, code: 'MalformedXML', message: 'The XML you provided was not well-formed.' };
}

export function preconditionFailed(): CosError {
  return {
    status: 412,
    code: 'PreconditionFailed',
    message: 'At least one of the pre-conditions you specified did not hold.',
  };
}

/** @param what the operation that COS supports but the emulator does not, such as `PUT ?logging`. */
export function notEmulated(what: string): CosError {
  const message = `The emulator does not do ${what}: see docs/emulator.md.`;
  return { status: 405, code: 'MethodNotAllowed', message };
}

/** The error for a header that asks for something that the emulator does not do. */
export function headerNotEmulated(name: string): CosError {
  const message = `The emulator does not do what the header ${name} asks for: see docs/emulator.md.`;
  return { status: 501, code: 'NotImplemented', message };
}
