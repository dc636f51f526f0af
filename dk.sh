cd /tmp/brk; P=$(flux getattr broker.pid)
flux kvs put small=1; flux kvs put --sync s2=2; for i in 1 2 3 4 5 6 7 8 9 10; do head -c 1000000 /dev/urandom | base64 -w0 > blob; timeout 10 flux kvs put --raw f$i=- < blob; echo put$i rc=$?; done
timeout 10 flux kvs put --sync s3=3; echo sync rc $?
timeout -s KILL 8 flux run echo hi; echo run rc $?
for i in 1 5 10; do timeout 5 flux kvs get --raw f$i | wc -c; done
timeout 5 flux module stats content | tr -d '\n'; echo
df -h /tmp/brk/mnt | tail -1
timeout 20 flux content flush 2>&1; timeout 10 flux module stats content | tr -d '\n'; echo
flux dmesg | grep -a "err\|crit\|warn\|Trace" | cut -c1-150 | sort | uniq -c | sort -rn | head -12
