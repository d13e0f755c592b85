/**
 * Titles and advice in Simplified Chinese, with the terms of Tencent Cloud's Chinese documentation. A unit test fails if an
 * entry of the error table has no words here.
 */
import type { Code } from './codes.ts';
import type { ErrorEntry, TranslatedWords } from './entry.ts';
import { RESULTS, type ResultHint } from './results.ts';

type Words = TranslatedWords;

/** Nobody needs to act: Bestframe recovers by itself, or there is nothing to fix. */
const NOTHING = '';
const SECOND_WRITER = '请检查是否有其他程序写入存储桶的同一目录。';
const SUPPORT = '请将 RequestId 提供给腾讯云技术支持。';
const LOWER_QPS = '如果有其他软件共用该账号，请调低 BESTFRAME_QPS_DETECT';
const LOW_SIMILARITY = '如果您的照片过旧或过小，请使用更清晰的照片，并重新录制。';

const BESTFRAME: Readonly<Record<Code, Words>> = {
  INVALID_VERIFICATION: [
    '核验请求无效',
    {
      caller: '请修正错误信息中指出的字段，字段说明见 docs/integration.md。',
      operator: '可用的取值见 `bestframe enqueue --help`。',
    },
  ],
  INVALID_MANIFEST: [
    '清单中有一行无效',
    '请修正指出的行，然后重新提交清单；已接受的行会根据 key 自动识别，不会重复处理。',
  ],
  INVALID_TAPE: ['录制文件无效', '请使用 `bestframe doctor --live --tape FILE` 重新录制。'],
  INVALID_SEQUENCE: ['光线序列请求无效', '请修正错误信息中指出的字段。可用的取值见 docs/integration.md。'],
  KEY_CONFLICT: ['该 key 已用于其他内容的请求', '新的核验请使用新的 key。同一个 key 始终代表同一次核验。'],
  KEY_GONE: ['该 key 对应的核验已被删除', '请使用新的 key。'],
  SAME_RESOURCE: ['两个资源是同一个文件', '请提供活体数据包，以及来自其他来源的照片。'],
  REUSED_LIVE_DATA: [
    '该活体数据包已经使用过',
    {
      person: '请重新录制。',
      caller: '请重新采集活体数据。',
      operator:
        '如果确实需要用同一个数据包比对多张照片，请设置 BESTFRAME_REUSED_LIVE_DATA=warn。照片不可用后还可以更换几张照片，由 BESTFRAME_PHOTO_RETRIES 限定。',
    },
  ],
  SOURCE_MISSING: ['资源不存在', '请修正路径或对象键。Worker 必须能通过与调用方相同的路径访问该文件。'],
  SOURCE_UNREADABLE: ['无法读取资源', '请为运行 Worker 的用户授予该资源的读取权限。'],
  SOURCE_OUTSIDE_ROOTS: [
    '文件不在允许的目录内',
    {
      caller: '请将该文件移到 Bestframe 运维人员允许的目录。',
      operator: '如需允许其所在目录，请将该目录加入 BESTFRAME_FILE_ROOTS。',
    },
  ],
  SOURCE_EMPTY: ['资源为空', '请提供完整的文件。手机端的上传可能已中断。'],
  SOURCE_TOO_LARGE: ['资源过大', '请提供更小的文件。大小限制见 docs/settings.md。'],
  SOURCE_NOT_BYTES: ['资源是 Base64 文本，而不是原始字节', '请先解码，再提供原始字节。'],
  SOURCE_WRONG_KIND: [
    '资源的文件类型不正确',
    'LiveData 请提供 gzip 数据包，图片请提供 JPEG 或 PNG，视频请提供 MP4、AVI 或 FLV，设备数据请提供 SDK 返回的 Base64 文本。',
  ],
  SOURCE_CUT: ['资源不完整或已损坏', '请重新发送完整的文件。手机端的上传可能已中断，请在设备上计算 MD5 进行核对。'],
  SOURCE_CHANGED: ['读取期间资源发生了变化', '资源写入后请勿覆盖。请使用新的 key 重新提交。'],
  SOURCE_MD5_MISMATCH: [
    '资源的 MD5 与请求中的不一致',
    '请对原始字节计算 MD5（32 位十六进制），并确认请求中指定的是正确的资源。',
  ],
  SOURCE_HTTP: [
    '资源所在的服务器拒绝了请求',
    {
      caller: '请检查该 URL。预签名链接可能已过期，或防火墙拒绝了程序的请求。',
      operator: '请在 Worker 所在的机器上用 `curl -A bestframe` 打开该 URL。',
    },
  ],
  SOURCE_BUSY: ['来源主机响应缓慢', { caller: '请检查该主机为何响应缓慢。' }],
  SOURCE_UNAVAILABLE: [
    '资源所在的服务器不可用',
    { caller: '请检查该 URL 的服务器。', operator: '请检查 Worker 与该服务器之间的网络。' },
  ],
  ADDRESS_FORBIDDEN: ['URL 指向内网地址', '内网中的资源请使用文件或 COS 来源。'],
  NOT_HTTPS: ['URL 不是 https', '请使用 https URL。'],
  REDIRECT_REFUSED: ['URL 重定向次数过多，或目标无效', '请提供最终的 URL。'],

  PLACE_FORBIDDEN: [
    '该租户不得使用此位置',
    {
      caller: '请使用 Bestframe 运营方允许的位置。每个租户都可以使用自己的前缀 `<folder>/t/<tenant>/`。',
      operator:
        '`bestframe tenants show` 会显示租户策略。如需允许该位置，请将其加入策略并运行 `bestframe tenants set`。',
    },
  ],
  INVALID_TENANT: ['租户策略无效', '请修正所指出的字段。docs/tenants.md 说明了策略的格式。'],
  TENANT_CONFLICT: [
    '租户策略已被他人修改',
    {
      caller: '请在已存储的版本上修改。',
      operator: '请用 `bestframe tenants show` 打印已存储的策略，并在其上修改。',
    },
  ],
  INVALID_WEBHOOK: ['Webhook 端点无效', '请修正错误信息中指出的字段，参见 docs/webhooks.md。'],
  WEBHOOK_UNKNOWN: [
    '不存在该名称的 Webhook 端点',
    {
      caller: '请修正名称，或请 Bestframe 运维人员注册该端点。',
      operator:
        '请用 `bestframe webhooks add` 注册端点。未送达的通知保留 30 天，可用 `bestframe webhooks redeliver` 补发。',
    },
  ],
  WEBHOOK_DISABLED: [
    'Webhook 端点已停用',
    {
      caller: '请恢复接收端，并告知 Bestframe 运维人员。',
      operator: '接收端恢复后，请依次执行 `bestframe webhooks enable` 和 `bestframe webhooks redeliver --endpoint`。',
    },
  ],
  WEBHOOK_RESTING: [
    'Webhook 端点连续失败次数过多',
    {
      caller: '请修复接收端，并告知 Bestframe 运维人员。',
      operator: '接收端修复后，请执行 `bestframe webhooks redeliver --endpoint`。',
    },
  ],
  LINK_REGION: ['链接与 API 不在同一地域', '请使用与 API 同地域的存储桶（BESTFRAME_BUCKETS）。'],
  LINK_UNREADABLE: ['无法通过链接读取已上传的对象', '请检查存储桶策略、防盗链名单和防火墙。'],
  LINK_MD5_MISMATCH: ['存储桶中的对象与上传的内容不一致', SECOND_WRITER],
  LINKS_EXPIRED: ['上传链接即将过期', NOTHING],

  INVALID_SETTINGS: ['配置项无效', '请修正指出的配置项，参见 docs/settings.md。'],
  BUCKET_REGION: ['存储桶位于其他地域', '请修正 BESTFRAME_BUCKETS，或在 API 所在地域创建存储桶。'],
  NO_BUCKET: ['该地域没有配置存储桶', '请在 BESTFRAME_BUCKETS 中添加存储桶，或改用上传方式 create-upload-url。'],
  NO_CREDENTIALS: [
    '密钥缺失或被拒绝',
    '请配置 docs/deployment.md#credentials 中的一种密钥来源，`bestframe doctor` 会显示正在使用的来源。请检查权限和系统时间。',
  ],
  KEYS_UNAVAILABLE: ['暂时无法获取临时密钥', '请运行 `bestframe doctor`，并检查到 STS 或实例元数据服务的网络。'],
  SEAL_KEY_MISSING: [
    '密钥环中缺少加密密钥',
    '请为所有进程设置相同的 BESTFRAME_KEY_RING。仍有记录使用某个密钥加密时，请勿移除该密钥。',
  ],
  EMULATOR_IN_LIVE_MODE: ['正式模式下收到了模拟器的应答', '请移除模拟器的代理和 CA 配置，或设置 BESTFRAME_MODE=test。'],
  MODE_MISMATCH: [
    '模式与部署不一致',
    { caller: '请使用与部署相同的模式。', operator: '每种模式应使用单独的 BESTFRAME_PREFIX 或单独的 Redis。' },
  ],
  NAMESPACE_MISMATCH: [
    '命名空间与部署不一致',
    {
      caller: '请使用该部署的命名空间。',
      operator: '所有进程和客户端应使用相同的 BESTFRAME_NAMESPACE，或相同的 BESTFRAME_NAMESPACE_FILE 文件。',
    },
  ],
  EVIDENCE_BUCKET: [
    '证据存储桶不可用',
    '请在 BESTFRAME_EVIDENCE_BUCKETS 中填写单独的存储桶，并在 COS 控制台为它开启对象锁定。',
  ],
  EVIDENCE_TAKEN: ['证据对象的位置已被占用', '请为每个部署使用单独的证据存储桶，或单独的 BESTFRAME_OBJECT_FOLDER。'],
  EVIDENCE_ALTERED: ['证据中的结果不是原件', '请查明谁可以写入证据存储桶。'],
  EVIDENCE_UNLOCKED: [
    '证据对象未被锁定',
    '请为 BESTFRAME_EVIDENCE_BUCKETS 中的存储桶开启对象锁定，并授予 name/cos:PutObjectRetention 权限。',
  ],
  FRAME_BUCKET: ['最佳帧不能存入该存储桶', '请将 `frame.bucket` 设为本部署的存储桶，或将最佳帧存为文件。'],
  NEWER_RECORD: ['该核验由更新版本的 Bestframe 启动', '请停止所有旧版本的 Worker 以完成升级。'],

  DEPENDENCY_DOWN: ['验证所需的服务已中断', '`bestframe gate status` 会显示该服务。如果该服务由您负责，请修复它。'],
  REGION_UNSERVED: [
    '没有工作进程服务于该地域',
    {
      caller: '请使用本部署所服务的地域，或请 Bestframe 运维人员为该地域提供服务。',
      operator: '请为该地域启动 Worker，并将其加入 BESTFRAME_REGIONS。',
    },
  ],
  CONNECT_REFUSED: ['连接被拒绝', '请检查网络和代理。'],
  CONNECT_TIMEOUT: ['连接超时', '请检查网络和代理。'],
  DNS_FAILED: ['无法解析主机名', '请检查 DNS 和主机名。'],
  TLS_FAILED: ['TLS 握手失败', '如果代理会重新签发证书，请将 BESTFRAME_CA_FILE 设置为公司的根证书。'],
  PROXY_REFUSED: ['代理拒绝了连接', '请检查 BESTFRAME_PROXY、代理的用户名和密码，以及代理规则。'],
  TIMEOUT: ['调用超时', NOTHING],
  RESET: ['连接中断', NOTHING],
  ABORTED: ['调用已中止', NOTHING],
  REPLY_SHAPE: [
    '腾讯云应答的结构与文档不符',
    '请升级 Bestframe。如果没有新版本，请附上 `bestframe support <id>` 的输出进行反馈，其中只有结构，不含任何值。',
  ],
  MALFORMED_REPLY: ['无法解析应答', '请检查是否有代理改写了应答。'],
  HTTP_3XX: ['API 返回了重定向', '请检查代理和接入地址。'],
  HTTP_4XX: ['服务器或代理拒绝了请求', '请检查代理和接入地址。'],
  HTTP_429: ['服务器或代理限制了请求频率', NOTHING],
  HTTP_5XX: ['服务器出错', NOTHING],

  FRAME_MISSING: ['最佳帧（BestFrame）已不存在', '请在没有图片的情况下继续。核验结论不受影响，也不会再次计费。'],
  FRAME_EXPIRED: [
    '最佳帧（BestFrame）的链接已过期',
    { caller: '请在没有图片的情况下继续。', operator: '如果经常出现，请增加 Worker。' },
  ],
  FRAME_MD5_MISMATCH: ['下载的最佳帧（BestFrame）已损坏', NOTHING],
  FRAME_ELSEWHERE: [
    '待删除的图片位于其他位置',
    '请将本进程的 BESTFRAME_FRAMES_DIR 设置为保存该图片的目录，或手动删除图片及其凭据文件。',
  ],
  FRAME_TAKEN: ['图片的位置已被占用', '请为每次核验使用单独的 `frame.name` 或 `frame.key`，或不填写名称。'],
  SINK_FULL: ['没有空间保存图片', '请清理 BESTFRAME_FRAMES_DIR 的空间。'],
  SINK_UNWRITABLE: ['无法写入图片', '请为 Worker 授予 BESTFRAME_FRAMES_DIR 的写入权限。'],
  ROOT_UNREADABLE: ['某台机器无法读取来源目录', '请在日志所指的机器上挂载该目录，或更正其 BESTFRAME_FILE_ROOTS。'],
  SPOOL_FULL: ['暂存来源的磁盘空间不足', '请在日志所指的机器上清理 BESTFRAME_SPOOL_DIR 的空间。'],
  SPOOL_UNWRITABLE: ['无法写入暂存目录', '请为 Worker 开放 BESTFRAME_SPOOL_DIR 的写权限，或改用其他目录。'],
  STAGING_FULL: ['存放上传文件的磁盘空间不足', '请清理 BESTFRAME_STAGING_DIR 的空间。'],
  STAGING_UNWRITABLE: ['无法写入上传的文件', '请为 HTTP API 开放 BESTFRAME_STAGING_DIR 的写权限。'],
  CLOCK_OFF: ['某台机器的时钟不准', '请用 NTP 校准日志所指机器的时钟。'],
  CA_UNTRUSTED: [
    '某台机器不信任腾讯云的证书',
    '如果代理会重新签发 TLS 证书，请在该机器上将 BESTFRAME_CA_FILE 设为贵公司的根证书。',
  ],

  SEQUENCE_BUSY: [
    '光线序列请求过多',
    {
      caller: '请在几秒后再次请求。',
      operator: '如果经常出现，请向腾讯云申请更高的频率限制，并设置 BESTFRAME_QPS_SEQUENCE。',
    },
  ],
  SEQUENCE_LATE: [
    '未能及时获得光线序列',
    {
      caller: '请使用相同的 key 再次请求。',
      operator: '请用 `bestframe doctor` 检查到 COS 和 FaceID 的网络。',
    },
  ],
  SEQUENCE_MISSING: ['无法下载光线序列', { caller: '请再次请求。' }],
  SEQUENCE_DAMAGED: ['下载的光线序列已损坏', { caller: '请再次请求。', operator: '请检查是否有代理改写了应答。' }],
  API_KEYS_LOST: ['本部署没有任何 API 密钥', '请用 `bestframe keys import` 恢复密钥，或创建新的密钥。'],
  UNAUTHENTICATED: [
    'API 密钥缺失或无效',
    {
      caller: '请在请求头 “Authorization: Bearer <key>” 中使用有效的密钥。密钥由 Bestframe 运维人员创建。',
      operator: '密钥由 `bestframe keys create` 生成；`bestframe keys list` 可查看各密钥的状态。',
    },
  ],
  WRONG_MODE: ['API 密钥属于另一种模式', '请使用与部署模式一致的密钥：bf_test_… 或 bf_live_…。'],
  FORBIDDEN: [
    'API 密钥没有此项权限',
    {
      caller: '请使用具有该权限范围的密钥。密钥由 Bestframe 运维人员创建。',
      operator: '请创建具有该权限范围的密钥：`bestframe keys create --scopes …`。',
    },
  ],
  RATE_LIMITED: [
    '请求过于频繁',
    { caller: '请按 Retry-After 的时间等待。建议使用 `?wait=` 或事件流代替轮询，以减少请求次数。' },
  ],
  QUOTA_USED_UP: [
    '租户的配额已用完',
    {
      caller: '在 Retry-After 之后，或在部分核身结束后，重新发送请求。',
      operator: '如果限额太低，请修改租户策略中的 `limits`（`bestframe tenants`）。',
    },
  ],
  BACKLOG: [
    '队列过长，无法在截止时间前完成',
    {
      caller: '请在 Retry-After 之后重新提交，或推迟截止时间，或使用 batch 通道。',
      operator: '如果经常出现，请向腾讯云申请更高的频率限制。',
    },
  ],
  MALFORMED_REQUEST: ['无法解析请求', '请修正指出的部分。可接受的请求格式见 docs/http-api.md。'],
  BODY_TOO_LARGE: ['请求体过大', '请减少单次发送的内容：文件使用 multipart，大量核验分多批提交。'],
  UNSUPPORTED_MEDIA_TYPE: [
    '不支持该内容类型',
    {
      caller: '请发送 application/json；如需上传文件，请向接受文件的部署发送 multipart/form-data。',
      operator: '如需接受文件，请设置 BESTFRAME_STAGING_DIR。',
    },
  ],
  NO_SUCH_ROUTE: ['接口不存在', '请修正路径和方法。所有接口见 /openapi.json。'],
  NOT_POSSIBLE_NOW: ['核验的当前状态不允许此操作', '请查看核验的状态，错误详情中说明了原因。'],
  LEGAL_HOLD: [
    '该核验处于法律保留状态，不能删除',
    { caller: '请联系设置保留的运维人员。', operator: '`bestframe legal-hold lift` 可解除保留。' },
  ],
  NO_FRAME: [
    '没有可读取的图片',
    {
      caller: '请查看核验的 `frame` 字段：`pending` 表示仍在下载。',
      operator: '图片的保留时间为 BESTFRAME_KEEP_FRAMES_HOURS。',
    },
  ],
  NO_MEDIUM: [
    '没有该媒体文件可读取',
    {
      caller: '请查看核验的 `session.media` 字段：会话结束后，其中列出了已保存的媒体文件。',
      operator: '媒体文件与图片的保留时间相同：BESTFRAME_KEEP_FRAMES_HOURS。',
    },
  ],
  RANGE_NOT_SATISFIABLE: ['请求的范围超出文件大小', '请去掉 Range 请求头，或请求有效的范围；HEAD 请求会返回文件大小。'],
  AUDIT_UNAVAILABLE: ['无法写入审计日志', '请为进程授予 BESTFRAME_AUDIT 的写入权限，并释放空间。'],

  CLOSED_BY_OPERATOR: ['运维人员关闭了闸门', '`bestframe gate open` 可立即打开闸门。'],
  PAUSED_BY_OPERATOR: [
    '运维人员暂停了闸门',
    '`bestframe gate status` 可查看操作人和原因，`bestframe gate resume` 可恢复调用。',
  ],
  BUDGET_SPENT: ['付费调用的预算已用完', '周期结束后闸门会打开。如需提前打开，参见 docs/costs.md。'],
  BELOW_THRESHOLD: ['相似度低于阈值', LOW_SIMILARITY],
  FAKE_SUSPECTED: [
    '复核意见怀疑人脸为伪造',
    '请勿因该结论放行该用户。`secondOpinion.attacks` 说明腾讯云怀疑的攻击类型。',
  ],
  SESSION_NOT_STARTED: ['用户始终没有开始', { person: '请重新开始。', caller: '请在用户准备好之后开始新的会话。' }],
  SESSION_ABANDONED: ['用户中途离开', { person: '请重新开始。' }],
  SESSION_EXPIRED: ['腾讯云已不再保留该会话的结果', { person: '请重新开始。' }],
  DEADLINE_EXCEEDED: [
    '在截止时间前没有得到结果',
    { caller: '如果仍需要结果，请留出更多时间。', operator: '请查明耗时过长的原因。' },
  ],
  OUTCOME_UNKNOWN: ['计费调用的结果未知', '请核对账单：账单中可能包含本次调用。'],
  CANCELLED: ['核验已取消', NOTHING],
  POISON: [
    '该核验导致多个 Worker 崩溃',
    {
      caller: '请保留相关资源；在 Bestframe 运维人员查明原因之前，请勿再次提交。',
      operator: '请检查 Worker 最后的输出和内存使用情况，并保留相关资源以便提交问题报告。',
    },
  ],
  RUNS_ALONE: ['该核验等待单独运行', NOTHING],
  LEASE_LOST: ['已由其他 Worker 接管', NOTHING],
  WORKER_DRAINED: ['Worker 在处理完成前停止', '如果经常出现，请调大 BESTFRAME_DRAIN_MS。'],
  RECORD_MISSING: [
    '核验不存在',
    { caller: '请检查 id。', operator: '请确认客户端和 Worker 使用同一个 Redis 和同一个 BESTFRAME_NAMESPACE。' },
  ],
  REDIS_UNAVAILABLE: ['无法连接 Redis', '请检查 REDIS_URL 和 Redis 服务。'],
  API_UNAVAILABLE: [
    '无法连接 HTTP API',
    {
      caller: '请检查 URL，然后使用相同的 key 再次请求：同一个 key 代表同一次核验。',
      operator: '请确认 `bestframe start api` 正在运行。',
    },
  ],
  INTERNAL: [
    'Bestframe 发生意外错误',
    {
      caller: '请将 id 或 requestId 报告给 Bestframe 运维人员。',
      operator: '请提交问题报告并附上对应的日志行。日志中有代码位置，不含个人数据。',
    },
  ],
};

/** Advice of the recapture codes, as in `HINTS` of faceid.ts. */
const HINTS = {
  light: { person: '请移到光线明亮、均匀的地方，避免背后有窗户或灯光，然后重新录制。' },
  glare: { person: '请避开强光，然后重新录制。' },
  position: { person: '请将手机举到与眼睛平齐的高度，让整张脸位于取景框内，然后重新录制。' },
  motion: { person: '请按照屏幕提示缓慢完成动作，然后重新录制。' },
  cover: { person: '请摘下口罩、帽子或墨镜，然后重新录制。' },
  alone: { person: '请确保镜头前只有您一人，然后重新录制。' },
  blurred: { person: '请擦拭镜头、拿稳手机，然后重新录制。' },
  sharp: { person: '请擦拭镜头、拿稳手机，然后重新录制并重新拍照。', caller: '请同时提供更清晰、更大的照片。' },
  voice: { person: '请在安静的环境中大声朗读，然后重新录制。' },
  video: { person: '请重新录制。', caller: '请使用 SDK 的默认设置：MP4 格式，约 6 秒，不超过大小限制。' },
  photo: {
    person: '请更换照片：清晰、包含您的整张脸，且没有其他人。',
    caller: '照片必须是 JPEG 或 PNG 原始字节（不是 Base64），包含一张完整的人脸，尺寸不能过小，也不能超过大小限制。',
  },
  either: { person: '请摘下口罩、帽子或墨镜，露出整张脸，然后重新录制并重新拍照。' },
  again: { person: '请重新录制。', operator: SUPPORT },
  unclear: { person: '请重新录制。', operator: SUPPORT },
} as const satisfies Record<string, TranslatedWords[1]>;

const NOT_LIVE = '如果经常误拒真实客户，请对照腾讯云的最新版本检查 SDK 版本和采集设置。';
const RESULT_HINTS: Readonly<Record<ResultHint, TranslatedWords[1]>> = {
  ...HINTS,
  spoof: NOT_LIVE,
  different: LOW_SIMILARITY,
  session: { person: '请重新开始。' },
};
const ARREARS = '请在腾讯云控制台缴清欠费。';
const ACTIVATE = '请在腾讯云控制台开通服务。';
const CREDENTIALS = '请修正密钥。密钥文件一旦更新，Bestframe 会立即重新读取。';
const PARAMETER = '请对照腾讯云文档检查请求，并记录 RequestId 以便联系腾讯云技术支持。';
const PARAMETER_VALUE = '请检查活体检测类型和 ValidateData，并记录 RequestId 以便联系腾讯云技术支持。';
const BUG = '请记录 RequestId 并提交问题报告：这是 Bestframe 的缺陷。';
const ENDPOINT = '请检查 BESTFRAME_FACEID_ENDPOINT。';
const PRODUCT = { operator: '请确认购买了哪种活体检测产品。' };
const QUOTA = '请向腾讯云申请提高配额。';
const ACCOUNT_STATE = '请在腾讯云控制台检查账号状态。';

const FACEID: Readonly<Record<string, Words>> = {
  '/^invalid resource ?url/i': [
    'invalid resourceUrl（资源链接无效）',
    '请使用与 API 同地域的存储桶（BESTFRAME_BUCKETS），不要使用自定义域名或 CDN 域名。',
  ],
  '/^md5 ?(?:error|错误)/i': ['MD5 Error（MD5 校验失败）', SECOND_WRITER],

  'FailedOperation.DownLoadError': [
    '腾讯云无法下载文件',
    '请在不带密钥的情况下打开该链接，并检查存储桶策略、防盗链名单和防火墙。',
  ],
  'FailedOperation.DownLoadTimeoutError': ['腾讯云下载文件超时', '请确认存储桶与 API 位于同一地域。'],
  'FailedOperation.LipNetFailed': ['腾讯云无法下载视频', NOTHING],

  'FailedOperation.CompareLowSimilarity': ['人脸比对相似度未达到通过标准', LOW_SIMILARITY],
  'InternalError.CompareLowSimilarity': ['人脸比对相似度未达到通过标准', LOW_SIMILARITY],

  'FailedOperation.LifePhotoDetectFake': ['人脸比对未检测到真人', NOT_LIVE],
  'FailedOperation.LivessDetectFail': ['活体检测未通过', NOT_LIVE],
  'FailedOperation.LivessDetectFake': ['录制内容疑似伪造', NOT_LIVE],
  'FailedOperation.SilentDetectFail': ['活体检测未检测到真人', NOT_LIVE],
  'FailedOperation.SilentPictureLiveFail': ['视频疑似伪造', NOT_LIVE],
  'FailedOperation.SilentThreshold': ['活体检测分数未达到通过标准', NOT_LIVE],

  'FailedOperation.ActionCloseEye': ['未检测到闭眼动作', HINTS.motion],
  'FailedOperation.ActionFaceClose': ['人脸离屏幕过近', HINTS.position],
  'FailedOperation.ActionFaceFar': ['人脸离屏幕过远', HINTS.position],
  'FailedOperation.ActionFaceLeft': ['人脸过于偏左', HINTS.position],
  'FailedOperation.ActionFaceRight': ['人脸过于偏右', HINTS.position],
  'FailedOperation.ActionFirstAction': ['未检测到动作', HINTS.motion],
  'FailedOperation.ActionLightDark': ['光线太暗', HINTS.light],
  'FailedOperation.ActionLightStrong': ['光线太强', HINTS.glare],
  'FailedOperation.ActionNodetectFace': ['未检测到完整人脸', HINTS.position],
  'FailedOperation.ActionOpenMouth': ['未检测到张嘴动作', HINTS.motion],
  'FailedOperation.CompareFail': ['人脸比对失败', HINTS.again],
  'FailedOperation.CompressVideoError': ['视频压缩失败', HINTS.video],
  'FailedOperation.CoveredFace': ['人脸有遮挡', HINTS.either],
  'FailedOperation.ImageBlur': ['图片模糊', HINTS.sharp],
  'FailedOperation.ImageDecodeFailed': ['图片解码失败', HINTS.photo],
  'FailedOperation.ImageSizeTooLarge': ['图片过大', HINTS.photo],
  'FailedOperation.IncompleteFace': ['人脸不完整', HINTS.either],
  'FailedOperation.LifePhotoDetectFaces': ['照片中有多张人脸', HINTS.photo],
  'FailedOperation.LifePhotoDetectNoFaces': ['照片中未检测到完整人脸', HINTS.photo],
  'FailedOperation.LifePhotoPoorQuality': ['照片分辨率过低', HINTS.photo],
  'FailedOperation.LifePhotoSizeError': ['照片过大或过小', HINTS.photo],
  'FailedOperation.LipFaceIncomplete': ['人脸未完全露出', HINTS.cover],
  'FailedOperation.LipMoveSmall': ['嘴唇动作幅度过小', HINTS.motion],
  'FailedOperation.LipSizeError': ['视频为空，或大小不符合要求', HINTS.video],
  'FailedOperation.LipVideoInvalid': ['视频格式不正确', HINTS.video],
  'FailedOperation.LipVideoQuaility': ['视频清晰度过低', HINTS.blurred],
  'FailedOperation.LipVoiceDetect': ['未检测到声音', HINTS.voice],
  'FailedOperation.LipVoiceLow': ['视频音量过低', HINTS.voice],
  'FailedOperation.LipVoiceRecognize': ['语音识别失败', HINTS.voice],
  'FailedOperation.LivessBestFrameError': ['无法从视频中提取可用于比对的最佳帧', HINTS.position],
  'FailedOperation.LivessUnknownError': ['视频活体检测失败', HINTS.unclear],
  'FailedOperation.PoorImageQuality': ['图片质量过低', HINTS.sharp],
  'FailedOperation.SilentEyeLiveFail': ['眼部活体检测未通过', HINTS.motion],
  'FailedOperation.SilentFaceDetectFail': ['视频中未检测到人脸', HINTS.position],
  'FailedOperation.SilentFaceQualityFail': ['视频中的人脸质量过低', HINTS.blurred],
  'FailedOperation.SilentFaceWithMaskFail': ['检测到用户佩戴口罩', HINTS.cover],
  'FailedOperation.SilentMouthLiveFail': ['嘴部活体检测未通过', HINTS.motion],
  'FailedOperation.SilentMultiFaceFail': ['视频中有多张人脸', HINTS.alone],
  'FailedOperation.SilentTooShort': ['视频时长过短', HINTS.video],
  'FailedOperation.VideoDecodeFailed': ['视频解码失败', HINTS.video],
  'FailedOperation.VideoDurationExceeded': ['视频时长过长', HINTS.video],
  'InternalError.ActionLightDark': ['光线太暗', HINTS.light],
  'InternalError.ActionLightStrong': ['光线太强', HINTS.glare],
  'InternalError.ActionNodetectFace': ['未检测到完整人脸', HINTS.position],
  'InternalError.LifePhotoPoorQuality': ['照片分辨率过低', HINTS.photo],
  'InternalError.LifePhotoSizeError': ['照片过大或过小', HINTS.photo],

  'FailedOperation.CompareSystemError': ['腾讯云人脸比对引擎出错', SUPPORT],
  'FailedOperation.DetectEngineSystemError': ['腾讯云检测引擎出错', SUPPORT],
  'FailedOperation.LivessSystemError': ['腾讯云活体检测引擎出错', SUPPORT],
  'FailedOperation.UnKnown': ['腾讯云发生未知的内部错误', SUPPORT],

  ...Object.fromEntries(RESULTS.map(([code, , hint, , title]) => [code, [title, RESULT_HINTS[hint]] as const])),

  RequestLimitExceeded: ['每秒请求次数过多', `${LOWER_QPS}，或向腾讯云申请更高的频率限制。`],
  'RequestLimitExceeded.*': ['每秒请求次数过多', `${LOWER_QPS}。`],
  'FailedOperation.RequestLimitExceeded': ['每秒请求次数过多', NOTHING],
  InternalError: ['腾讯云内部错误', NOTHING],
  ServiceUnavailable: ['腾讯云服务不可用', NOTHING],
  ResourceInsufficient: ['腾讯云资源不足', NOTHING],
  ResourceInUse: ['腾讯云资源被占用', NOTHING],
  ResourceUnavailable: ['腾讯云资源不可用', NOTHING],
  'ResourceUnavailable.InArrears': ['腾讯云账号已欠费', ARREARS],
  'ResourceUnavailable.ResourcePackageRunOut': ['预付费资源包已用尽', '请在腾讯云控制台购买资源包，或开通后付费。'],
  'UnauthorizedOperation.Arrears': ['腾讯云账号已欠费', ARREARS],
  'UnauthorizedOperation.ChargeStatusException': ['账号计费状态异常', '请在腾讯云控制台的费用中心处理。'],
  'UnauthorizedOperation.NonAuthorize': ['账号未完成实名认证', '请在腾讯云控制台完成实名认证。'],
  'UnauthorizedOperation.Nonactivated': ['未开通人脸核身（FaceID）服务', ACTIVATE],
  'UnauthorizedOperation.Activating': ['人脸核身（FaceID）服务正在开通中', NOTHING],
  UnauthorizedOperation: [
    '该密钥没有此接口的权限',
    '请为子用户授予 QcloudFaceIdFullAccess 策略，或仅包含这些接口的自定义策略。',
  ],
  'UnauthorizedOperation.*': ['密钥或账号没有此接口的权限', '请在腾讯云控制台检查子用户的策略和服务的开通状态。'],
  'FailedOperation.UnOpenError': ['未开通人脸核身（FaceID）服务', ACTIVATE],
  LimitExceeded: ['账号配额已用尽', QUOTA],
  'LimitExceeded.*': ['账号配额已用尽', QUOTA],
  'AuthFailure.SignatureExpire': ['本机时间不准确', '请使用 NTP 同步本机时间。'],
  'AuthFailure.*': ['腾讯云拒绝了密钥', CREDENTIALS],
  AuthFailure: ['腾讯云拒绝了密钥', CREDENTIALS],
  OperationDenied: ['腾讯云拒绝了操作', ACCOUNT_STATE],
  'OperationDenied.*': ['腾讯云拒绝了操作', ACCOUNT_STATE],
  IpInBlacklist: ['Worker 的 IP 地址在黑名单中', '请将 Worker 的 IP 地址移出黑名单。'],
  IpNotInWhitelist: ['Worker 的 IP 地址不在白名单中', '请将 Worker 的 IP 地址加入白名单。'],
  ActionOffline: ['该接口已下线', '请查看腾讯云公告中的替代接口，并升级 Bestframe。'],
  InvalidAction: ['接入地址不支持该接口', `${ENDPOINT}它必须是国际站的 FaceID 接入地址。`],
  NoSuchProduct: ['接入地址不提供 FaceID 服务', ENDPOINT],
  NoSuchVersion: ['接入地址不支持该 API 版本', ENDPOINT],
  UnsupportedRegion: ['该接口不支持此地域', '请使用支持该接口的地域：docs/flows.md 列出了各接口的地域。'],
  InvalidParameter: ['参数错误', PARAMETER],
  'InvalidParameter.*': ['参数错误', PARAMETER],
  InvalidParameterValue: ['参数取值错误', PARAMETER_VALUE],
  'InvalidParameterValue.*': ['参数取值错误', PARAMETER_VALUE],
  InvalidRequest: ['请求格式错误', BUG],
  MissingParameter: ['缺少参数', BUG],
  'MissingParameter.*': ['缺少参数', BUG],
  UnknownParameter: ['未知参数', BUG],
  RequestSizeLimitExceeded: [
    '请求包过大',
    '若调用直接携带文件，请使用更小的视频或照片；否则请缩短 ValidateData 和对象键。',
  ],
  ResponseSizeLimitExceeded: ['返回包过大', NOTHING],
  UnsupportedProtocol: ['不支持该协议', { operator: '请检查是否有代理改写了请求。' }],
  UnsupportedOperation: ['账号购买的产品不支持该操作', PRODUCT],
  'UnsupportedOperation.*': ['账号购买的产品不支持该操作', PRODUCT],
};

const COS: Readonly<Record<string, Words>> = {
  BadDigest: ['上传过程中内容发生了变化', NOTHING],
  InvalidDigest: ['Content-MD5 请求头格式错误', '请提交问题报告：这是 Bestframe 的缺陷。'],
  EntitySizeNotMatch: ['上传过程中大小发生了变化', NOTHING],
  EntityTooLarge: ['对象过大', '请提供更小的资源。'],
  ExpiredToken: ['临时密钥已过期', '请更新密钥文件。文件一旦更新，Bestframe 会立即重新读取。'],
  RequestTimeout: ['上传停滞', NOTHING],
  AccessDenied: [
    'COS 拒绝访问',
    '请为密钥授予该存储桶的 GetObject、PutObject、HeadObject、DeleteObject、GetBucketObjectVersions 和 HeadBucket 权限，并检查系统时间。',
  ],
  RequestTimeTooSkewed: ['本机时间不准确', '请使用 NTP 同步本机时间。'],
  InvalidAccessKeyId: ['COS 无法识别 SecretId', '请修正密钥。'],
  SignatureDoesNotMatch: ['COS 拒绝了签名', '请修正密钥，并检查是否有代理对 URL 重新编码。'],
  NoSuchKey: ['对象已不存在', '请检查存储桶的生命周期规则，以及写入该存储桶的其他程序。'],
  NoSuchBucket: ['存储桶不存在', '请修正 BESTFRAME_BUCKETS，或在 API 所在地域创建存储桶。'],
  SlowDown: ['COS 限制了请求频率', NOTHING],
  InternalError: ['COS 内部错误', NOTHING],
  ServiceUnavailable: ['COS 服务不可用', NOTHING],
};

const WORDS: Readonly<Record<ErrorEntry['service'], Readonly<Record<string, Words>>>> = {
  bestframe: BESTFRAME,
  faceid: FACEID,
  cos: COS,
};

/** @returns the Chinese title and advice, or null if the entry has none. */
export function findChinese({ service, match }: Pick<ErrorEntry, 'service' | 'match'>): TranslatedWords | null {
  return WORDS[service][match] ?? null;
}
