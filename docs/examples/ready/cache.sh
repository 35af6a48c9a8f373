# A program that takes a moment, and says then where it listens.
sleep 0.2
echo "cache: listening on port 18300"
exec sleep 1000
