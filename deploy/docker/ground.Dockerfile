# The ground, and every other command without ROS: docker build -f deploy/docker/ground.Dockerfile -t holdfast-ground .
ARG NODE_IMAGE=node:20-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build && npm run release:documents && npm prune --omit=dev

FROM ${NODE_IMAGE}
ARG VERSION=0.2.0
LABEL org.opencontainers.image.title="holdfast-ground" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      holdfast.sbom="/opt/holdfast/sbom.cdx.json"
RUN groupadd --gid 10001 holdfast \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/holdfast --shell /usr/sbin/nologin holdfast \
 && install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/holdfast
WORKDIR /opt/holdfast
COPY --from=build /src/package.json /src/package.xml ./
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/dist/src ./dist/src
COPY --from=build /src/dist/web ./dist/web
COPY --from=build /src/dist/web-ground ./dist/web-ground
COPY --from=build /src/config ./config
COPY --from=build /src/dist/release/ /src/deploy/docker/healthy.mjs ./
RUN chmod 0755 dist/src/app/main.js && ln -s /opt/holdfast/dist/src/app/main.js /usr/local/bin/holdfast

USER 10001:10001
WORKDIR /var/lib/holdfast
VOLUME /var/lib/holdfast
ENV HOLDFAST_HEALTH_URL=http://127.0.0.1:8090/healthz
EXPOSE 8090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["node", "/opt/holdfast/healthy.mjs"]
ENTRYPOINT ["holdfast"]
CMD ["ground", "--data", "/var/lib/holdfast", "--listen", "0.0.0.0:8090"]
