#!/usr/bin/env bash
# Prints the configuration of an nginx in front of engines on this machine, around deploy/nginx/engine.conf.template.
#   ENGINE_SERVERS='server 127.0.0.1:8080;' NGINX_LISTEN=127.0.0.1:8081 nginx.sh FOLDER    what it writes goes into the folder
set -euo pipefail
dir=$1
cat <<END
daemon off;
pid $dir/nginx.pid;
error_log $dir/error.log notice;
worker_processes 1;
events {}
http {
  access_log off;
  client_body_temp_path $dir/body;
  proxy_temp_path $dir/proxy;
  fastcgi_temp_path $dir/fastcgi;
  uwsgi_temp_path $dir/uwsgi;
  scgi_temp_path $dir/scgi;
$(sed -e "s|\${ENGINE_SERVERS}|$ENGINE_SERVERS|" -e "s|\${NGINX_LISTEN}|$NGINX_LISTEN|" "$(dirname "${BASH_SOURCE[0]}")/../deploy/nginx/engine.conf.template")
}
END
