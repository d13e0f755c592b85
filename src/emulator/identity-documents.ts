/** The documents that sessions can read, and a specimen of each: the fields that Tencent documents, with invented values. */

interface Specimen {
  /** The name of the document's field in CardInfo and in NormalCardInfo. */
  readonly name: string;
  /** Null: CardInfo has no such document. */
  readonly card: Readonly<Record<string, string>> | null;
  /** Null: NormalCardInfo has the same fields as CardInfo. */
  readonly normal?: Readonly<Record<string, string>>;
}

const PERSON = { LastName: 'SAMPLE', FirstName: 'ALEX', Birthday: '1990-01-31', Sex: 'F' };
const ADDRESS = '1 EXAMPLE ROAD';

/** By the type's name in ApplySdkVerificationToken. */
const SPECIMENS: Readonly<Record<string, Specimen>> = {
  HK: {
    name: 'HKIDCard',
    card: {
      CnName: '樣本',
      EnName: 'SAMPLE, Alex',
      TelexCode: '2867 2609',
      Sex: 'F',
      Birthday: '31-01-1990',
      Permanent: '1',
      IdNum: 'Z683365(5)',
      Symbol: '***AZ',
      FirstIssueDate: '01-79',
      CurrentIssueDate: '15-09-03',
    },
    normal: {
      ChineseName: '樣本',
      FullName: 'SAMPLE, Alex',
      RegistrationNumber: '2867 2609',
      Sex: 'F',
      Birthday: '1990-01-31',
      Permanent: '1',
      LicenseNumber: 'Z683365(5)',
      Symbol: '***AZ',
      IssuedDate: '1979-01',
      CurrentIssueDate: '2003-09-15',
      HKIDVersion: '2018',
    },
  },
  ML: {
    name: 'MLIDCard',
    card: {
      Name: 'ALEX SAMPLE',
      ID: '900131-00-0000',
      Sex: 'PEREMPUAN',
      Address: ADDRESS,
      Type: 'MyKad',
      Birthday: '1990-01-31',
    },
    normal: {
      FullName: 'ALEX SAMPLE',
      LicenseNumber: '900131-00-0000',
      Sex: 'F',
      FormattedAddress: ADDRESS,
      Type: 'MyKad',
      Birthday: '1990-01-31',
    },
  },
  IndonesiaIDCard: {
    name: 'IndonesiaIDCard',
    card: {
      NIK: '0000000000000000',
      Nama: 'ALEX SAMPLE',
      TempatTglLahir: 'JAKARTA, 31-01-1990',
      JenisKelamin: 'PEREMPUAN',
      GolDarah: 'O',
      Alamat: ADDRESS,
      RTRW: '001/001',
      KelDesa: 'CONTOH',
      Kecamatan: 'CONTOH',
      Agama: 'LAINNYA',
      StatusPerkawinan: 'BELUM KAWIN',
      Perkerjaan: 'CONTOH',
      KewargaNegaraan: 'WNI',
      BerlakuHingga: 'SEUMUR HIDUP',
      IssuedDate: '01-01-2020',
      Provinsi: 'DKI JAKARTA',
      Kota: 'JAKARTA',
    },
    normal: {
      LicenseNumber: '0000000000000000',
      FullName: 'ALEX SAMPLE',
      Birthday: '1990-01-31',
      Sex: 'F',
      BloodType: 'O',
      FormattedAddress: ADDRESS,
      Street: '001/001',
      Village: 'CONTOH',
      Area: 'CONTOH',
      Religion: 'LAINNYA',
      MaritalStatus: 'BELUM KAWIN',
      Occupation: 'CONTOH',
      Nationality: 'IDN',
      DueDate: 'SEUMUR HIDUP',
      IssuedDate: '2020-01-01',
      Province: 'DKI JAKARTA',
      City: 'JAKARTA',
    },
  },
  PhilippinesVoteID: {
    name: 'PhilippinesVoteID',
    card: {
      VIN: '0000-0000A-A000AAA00000',
      FirstName: PERSON.FirstName,
      LastName: PERSON.LastName,
      Birthday: PERSON.Birthday,
      CivilStatus: 'SINGLE',
      Citizenship: 'FILIPINO',
      Address: ADDRESS,
      PrecinctNo: '0000A',
    },
  },
  PhilippinesDrivingLicense: {
    name: 'PhilippinesDrivingLicense',
    card: {
      Name: 'SAMPLE, ALEX M',
      LastName: PERSON.LastName,
      FirstName: PERSON.FirstName,
      MiddleName: 'M',
      Nationality: 'PHL',
      Sex: PERSON.Sex,
      Address: ADDRESS,
      LicenseNo: 'A00-00-000000',
      ExpiresDate: '2030/01/31',
      AgencyCode: 'A00',
      Birthday: '1990/01/31',
    },
  },
  PhilippinesTinID: {
    name: 'PhilippinesTinID',
    card: {
      LicenseNumber: '000-000-000-000',
      FullName: 'SAMPLE, ALEX',
      Address: ADDRESS,
      Birthday: '01/31/1990',
      IssueDate: '01/01/2020',
    },
  },
  PhilippinesSSSID: {
    name: 'PhilippinesSSSID',
    card: { LicenseNumber: 'CRN-0000-0000000-0', FullName: 'SAMPLE, ALEX', Birthday: '19900131' },
  },
  PhilippinesUMID: {
    name: 'PhilippinesUMID',
    card: {
      Surname: PERSON.LastName,
      MiddleName: 'M',
      GivenName: PERSON.FirstName,
      Sex: PERSON.Sex,
      Birthday: '1990/01/31',
      Address: ADDRESS,
      CRN: 'CRN-0000-0000000-0',
    },
  },
  MLIDPassport: {
    name: 'InternationalIDPassport',
    card: {
      LicenseNumber: 'X0000000',
      FullName: 'SAMPLE ALEX',
      Surname: PERSON.LastName,
      GivenName: PERSON.FirstName,
      Birthday: PERSON.Birthday,
      Sex: PERSON.Sex,
      DateOfExpiration: '2030-01-31',
      IssuingCountry: 'UTO',
      NationalityCode: 'UTO',
      PassportCodeFirst: 'P<UTOSAMPLE<<ALEX<<<<<<<<<<<<<<<<<<<<<<<<<<<',
      PassportCodeSecond: 'X0000000<0UTO9001310F3001310<<<<<<<<<<<<<<00',
    },
  },
  ThailandIDCard: {
    name: 'ThailandIDCard',
    card: {
      LastName: PERSON.LastName,
      FirstName: PERSON.FirstName,
      LicenseNumber: '0 0000 00000 00 0',
      DateOfBirth: PERSON.Birthday,
      DateOfExpiry: '2030-01-31',
      DateOfIssue: '2020-01-01',
      IssuedCountry: 'THA',
    },
    normal: {
      LicenseNumber: '0 0000 00000 00 0',
      FullName: 'ALEX SAMPLE',
      LastName: PERSON.LastName,
      FirstName: PERSON.FirstName,
      Birthday: PERSON.Birthday,
      FormattedAddress: ADDRESS,
      ExpirationDate: '2030-01-31',
      IssuedDate: '2020-01-01',
      RegistrationNumber: '0000-00-00000000',
      Religion: 'SAMPLE',
      ThaiBirthday: '31 ม.ค. 2533',
      ThaiExpirationDate: '31 ม.ค. 2573',
      ThaiIssueDate: '1 ม.ค. 2563',
    },
  },
  MainlandIDCard: {
    name: 'MainlandIDCard',
    card: null,
    normal: {
      FullName: '样本',
      Sex: '女',
      Nation: '汉',
      Birthday: PERSON.Birthday,
      Address: ADDRESS,
      LicenseNumber: '000000199001310000',
      FormattedAddress: ADDRESS,
      Authority: '样本',
      ValidDate: '2020.01.01-2040.01.01',
    },
  },
  SingaporeIDCard: {
    name: 'SingaporeIDCard',
    card: {
      ChName: '样本',
      ChineseName: '样本',
      EnName: 'ALEX SAMPLE',
      FullName: 'ALEX SAMPLE',
      ID: 'S0000000Z',
      LicenseNumber: 'S0000000Z',
      Sex: PERSON.Sex,
      CountryOfBirth: 'SINGAPORE',
      Nationality: 'SGP',
      Birthday: PERSON.Birthday,
      Address: ADDRESS,
      Race: 'SAMPLE',
      NRICCode: 'S0000000Z',
      PostCode: '000000',
      DateOfExpiration: '2030-01-31',
      DateOfIssue: '2020-01-01',
    },
  },
  HMTPermit: {
    name: 'HMTPermitCard',
    card: null,
    normal: {
      Name: '样本',
      EnglishName: 'SAMPLE, ALEX',
      Number: 'C00000000',
      Sex: PERSON.Sex,
      ValidDate: '2020.01.01-2030.01.01',
      IssueAuthority: '样本',
      IssueAddress: '样本',
      Birthday: '1990.01.31',
    },
  },
};

export const DOCUMENT_TYPES: readonly string[] = Object.keys(SPECIMENS);

/** The types' names on web pages, where they are the fields' names. HMTPermit is no document of web pages. */
const WEB_NAMES = new Map(
  Object.entries(SPECIMENS).flatMap(([type, { name }]) => (type === 'HMTPermit' ? [] : [[name, type] as const])),
);
export const WEB_DOCUMENT_TYPES: readonly string[] = [...WEB_NAMES.keys()];

/** The documents of both CardInfo and NormalCardInfo. All but the one that was read are null. */
const BOTH = [
  ...(['HKIDCard', 'MLIDCard', 'PhilippinesVoteID', 'IndonesiaIDCard', 'PhilippinesDrivingLicense'] as const),
  ...(['PhilippinesTinID', 'PhilippinesSSSID', 'PhilippinesUMID', 'InternationalIDPassport', 'GeneralCard'] as const),
  ...(['IndonesiaDrivingLicense', 'ThailandIDCard', 'SingaporeIDCard', 'MacaoIDCard'] as const),
  ...(['TaiWanIDCard', 'JapanIDCard'] as const),
];
const CARD_INFO = [
  ...BOTH,
  ...([
    'BangladeshIDCard',
    'NigeriaIDCard',
    'NigeriaDrivingLicense',
    'PakistanIDCard',
    'PakistanDrivingLicense',
  ] as const),
];
const NORMAL_CARD_INFO = [...BOTH, 'MainlandIDCard', 'HMTPermitCard'];

export interface ReadDocument {
  readonly cardInfo: object;
  readonly normalCardInfo: object;
  /** What was read, as a flat object. */
  readonly fields: object;
}

/** @param type one of `DOCUMENT_TYPES` or `WEB_DOCUMENT_TYPES`. */
export function specimenOf(type: string): ReadDocument {
  const specimen = SPECIMENS[type] ?? SPECIMENS[WEB_NAMES.get(type) ?? ''];
  if (specimen === undefined) throw new Error(`there is no document ${type}`);
  const { name, card, normal = card } = specimen;
  const only = (names: readonly string[], fields: object | null | undefined) =>
    Object.fromEntries(names.map((each) => [each, each === name ? (fields ?? null) : null]));
  return {
    cardInfo: only(CARD_INFO, card),
    normalCardInfo: only(NORMAL_CARD_INFO, normal),
    fields: card ?? normal ?? {},
  };
}
