# One image for workers, HTTP API, dashboard and command line. All settings come from the environment.
# Runs as `node` (uid 1000), or as any other user of the group 0, as OpenShift does. The folders of its volumes belong to that group,
# and so do the named volumes mounted there. Everything else may be read-only, except /tmp.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY src src
COPY workers workers
# The declarations are for programs that import the package.
RUN npm run build && find dist -name '*.d.ts' -delete

FROM node:24-bookworm-slim AS modules
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# TypeScript is an optional peer of a dependency: npm installs it, nothing loads it, and it is 31 MB. Nothing loads sources and
# declarations in TypeScript either.
RUN npm ci --omit=dev && rm -rf node_modules/typescript node_modules/@typescript && \
    find node_modules -name '*.ts' -delete -o -name '*.[cm]ts' -delete
# Of what is installed: with --omit=dev, npm would leave out each package that a development dependency needs too.
RUN npm pkg delete devDependencies && npm sbom --sbom-type=application --sbom-format=cyclonedx > sbom.cdx.json

FROM node:24-bookworm-slim
ARG REVISION=unknown
LABEL org.opencontainers.image.title=bestframe \
      org.opencontainers.image.description="Durable job queue for Tencent Cloud face-liveness verification" \
      org.opencontainers.image.licenses=MIT \
      org.opencontainers.image.version=0.1.0 \
      org.opencontainers.image.revision=$REVISION
ENV NODE_ENV=production
WORKDIR /app
RUN install --directory --owner=node --group=root --mode=0770 /frames /staging /spool /emulator /deployment
COPY --from=modules /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=modules /app/sbom.cdx.json ./
COPY package.json LICENSE ./
# Every service of this image has its health checks and metrics here. The port needs no login: publish it to no one but Prometheus.
ENV BESTFRAME_MONITOR_HOST=0.0.0.0 BESTFRAME_MONITOR_PORT=9464
EXPOSE 9464
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.BESTFRAME_MONITOR_PORT}/livez`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
USER 1000:0
ENTRYPOINT ["node", "dist/src/cli/main.js"]
CMD ["start", "all"]
